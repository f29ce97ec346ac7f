"""What ends a command: one line on stderr, and exit status 1 unless something else is said."""

import re
from collections.abc import Sequence

import click

_UNBEGUN = re.compile(r"The command .+ (was not found|cannot be executed)[.:]", re.DOTALL)
"""How a host says that the process of a container could not be begun; it is kept with the change as a sentence."""
_STATUSES = {"was not found": 127, "cannot be executed": 126}


class Failure(click.ClickException):
    """The command cannot be done; shown as `Error: ...` without usage. `status`: how the command line exits."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(" ".join(message.split()) or "The server refused without a reason.")
        self.exit_code = status  # type: ignore[misc]


class NotFound(Failure):
    """The server knows nothing of that name or id."""


def explain_beginning(failure: Failure, command: Sequence[str], in_image: bool) -> Failure:
    """Why a container was not begun, with the status that Docker and shells end with. Who says `run nginx` is told how
    an image is given."""
    said = _UNBEGUN.search(failure.message)
    if not said:
        return failure
    hint = "" if in_image else f" If an image is meant, give it as `--image {command[0]}`."
    return Failure(failure.message + hint, _STATUSES[said[1]])


def report(failure: click.ClickException) -> None:
    """Show a failure after which the command goes on with its next argument."""
    click.echo(f"Error: {failure.format_message()}", err=True)
