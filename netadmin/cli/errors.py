"""What ends a command: one line on stderr and exit status 1."""

import click


class Failure(click.ClickException):
    """The command cannot be done; shown as `Error: ...` without usage, exit status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()) or "The server refused without a reason.")


class NotFound(Failure):
    """The server knows nothing of that name or id."""


def report(failure: click.ClickException) -> None:
    """Show a failure after which the command goes on with its next argument."""
    click.echo(f"Error: {failure.format_message()}", err=True)
