"""What ends a command: one line on stderr, and exit status 1 unless something else is said."""

import click


class Failure(click.ClickException):
    """The command cannot be done; shown as `Error: ...` without usage. `status`: how the command line exits."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(" ".join(message.split()) or "The server refused without a reason.")
        self.exit_code = status  # type: ignore[misc]


class NotFound(Failure):
    """The server knows nothing of that name or id."""


def report(failure: click.ClickException) -> None:
    """Show a failure after which the command goes on with its next argument."""
    click.echo(f"Error: {failure.format_message()}", err=True)
