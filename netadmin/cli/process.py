"""netadmin exec, logs, top and events."""

import json
import sys

import click

from netadmin.cli.container import COMMAND_SETTINGS, read_environment, with_place
from netadmin.cli.errors import Failure
from netadmin.cli.output import print_table
from netadmin.cli.session import HostCommand, Session, with_session

# netadmin.cli.stream is imported where it is used: its WebSocket library costs as much time as all the rest.


@click.command("exec", cls=HostCommand, context_settings=COMMAND_SETTINGS)
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-i", "--interactive", is_flag=True, help="Forward what is typed or piped in.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give the command a terminal.")
@click.option("-e", "--env", multiple=True, metavar="K[=V]", callback=read_environment, help="Environment.")
@with_place
@with_session
def execute(
    session: Session,
    container: str,
    command: tuple[str, ...],
    interactive: bool,
    terminal: bool,
    env: dict[str, str],
    user: str | None,
    working_dir: str | None,
) -> None:
    """Run a command in a running container; its exit status becomes that of this command."""
    if interactive and terminal and not sys.stdin.isatty():
        raise Failure("The input is not a terminal; leave out -t.")
    from netadmin.cli.stream import INTERRUPTED, run_command

    try:
        code = run_command(
            session.client,
            container,
            command,
            env,
            interactive,
            terminal,
            {"user": user or "", "working_dir": working_dir or ""},
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


@click.command(cls=HostCommand)
@click.argument("container")
@click.option("-f", "--follow", is_flag=True, help="Go on until the process ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
@with_session
def logs(session: Session, container: str, follow: bool, tail: int | None) -> None:
    """Show what a container's process has written."""
    if follow:
        from netadmin.cli.stream import INTERRUPTED, follow_logs

        if not follow_logs(session.client, container, tail):
            sys.exit(INTERRUPTED)
        return
    params = [] if tail is None else [("tail", str(tail))]
    click.echo(session.client.get("containers", container, "logs", params=params)["text"], nl=False)


@click.command(cls=HostCommand, context_settings=COMMAND_SETTINGS)
@click.argument("container")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@with_session
def top(session: Session, container: str, options: tuple[str, ...]) -> None:
    """Show what runs in a container, as ps does."""
    params = [("options", " ".join(options))] if options else []
    told = session.client.get("containers", container, "top", params=params)
    print_table(told["titles"], told["processes"])


@click.command(cls=HostCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_session
def events(session: Session, as_json: bool) -> None:
    """Show what changes, as it happens, until Ctrl-C."""
    from netadmin.cli.stream import follow_events

    for event in follow_events(session.client):
        line = " ".join(str(event[key]) for key in ("at", "kind", "change", "id"))
        click.echo(json.dumps(event) if as_json else line)
