"""`python -m workers`: the worker of a host, and dry runs of it without broker, server or database.

join URL        make this machine a host of a server, with a one-time token
run             keep the processes of a host that has joined running
--config FILE   serve the host's queue until ended
show FILE       the kernel objects that a state file means
plan FILE       what would be done here to make the state file true
apply FILE      do it (links, namespaces, firewall, files; no processes and no names)
purge           remove everything of ours from this kernel
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec

from workers import tracing
from workers.contract.state import HostState
from workers.garbage import begin_to_load
from workers.kernel.edge import Kernel
from workers.kernel.errors import KernelError
from workers.planning.desired import Desired
from workers.planning.diff import Operation, diff
from workers.planning.objects import Element, Objects
from workers.planning.render import Surroundings, render
from workers.surroundings import read_resolv_conf

STATE_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
NOT_KERNEL = ("name", "process")


@click.group(invoke_without_command=True, help=__doc__)
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    if context.invoked_subcommand is not None:
        return
    if config is None:
        click.echo(context.get_help())
        context.exit(2)
    serve(config)


def serve(config: Path) -> None:
    """Serve the queue of the configured host; one task at a time, since all work is the agent's."""
    begin_to_load()
    from workers.tasks import make_app, read_configuration

    tracing.configure("host worker")
    configuration = read_configuration(config)
    make_app(configuration).worker_main(list_arguments(configuration.host))


def list_arguments(host: str) -> list[str]:
    """Of Celery, to serve the host's queue."""
    arguments = ["--quiet", "worker", "--pool=solo", f"--queues=host.{host}", f"--hostname=worker@{host}"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    return [*arguments, *quiet]


STATE_DIR = click.option(
    "--state-dir",
    envvar="NETADMIN_STATE_DIR",
    default="/var/lib/netadmin",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the host keeps what it needs.",
)


@main.command()
@click.argument("url")
@click.option("--token", required=True, help="As `netadmin host add` printed it.")
@STATE_DIR
@click.option("--no-start", is_flag=True, help="Only join; start later with `run`.")
def join(url: str, token: str, state_dir: Path, no_start: bool) -> None:
    """Make this machine a host of the server at URL, and start it."""
    from workers.joining import Failed, join

    try:
        path = join(url, token, state_dir, click.echo)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    if not no_start:
        _run(path)


@main.command()
@STATE_DIR
@click.option("--host", help="Which one, where several have joined with this state directory.")
def run(state_dir: Path, host: str | None) -> None:
    """Start this machine's host, which has joined, and keep it running in the foreground."""
    from workers.joining import Failed, find_configuration

    try:
        path = find_configuration(state_dir, host)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    _run(path)


def _run(path: Path) -> None:
    from workers.running import run
    from workers.supervision.children import NotReady

    try:
        asyncio.run(run(path, lambda line: click.echo(line)))
    except NotReady as error:
        raise click.ClickException(str(error)) from error


@main.command()
@STATE_FILE
def show(file: Path) -> None:
    """Print the kernel objects that a state file means."""
    for operation in diff(_wanted(file), {}):
        click.echo(operation)


@main.command()
@STATE_FILE
def plan(file: Path) -> None:
    """Print what would be done on this host."""
    with _kernel() as kernel:
        for operation in _operations(kernel, file):
            click.echo(operation)


@main.command()
@STATE_FILE
def apply(file: Path) -> None:
    """Make links, namespaces, firewall and files as the state file says."""
    failed = False
    with _kernel() as kernel:
        kernel.ensure_table()
        for operation in _operations(kernel, file):
            click.echo(operation)
            try:
                _carry_out(kernel, operation)
            except KernelError as error:
                click.echo(f"Error: {error}", err=True)
                failed = True
    sys.exit(1 if failed else 0)


@main.command()
def purge() -> None:
    """Remove every namespace, link, rule and file of ours from this kernel."""
    with _kernel() as kernel:
        for line in kernel.purge():
            click.echo(line)


@contextmanager
def _kernel() -> Iterator[Kernel]:
    try:
        with closing(Kernel()) as kernel:
            yield kernel
    except KernelError as error:
        raise click.ClickException(str(error)) from error


def _wanted(file: Path) -> Objects:
    try:
        state = msgspec.json.decode(file.read_bytes(), type=HostState)
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{file} is not a state file: {error}") from error
    desired = Desired([*state.networks, *state.containers, *state.endpoints, *state.peers])
    surroundings = Surroundings(resolv_conf=read_resolv_conf())
    wanted: Objects = {}
    for owner in desired.owners():
        wanted.update(render(desired, owner, surroundings))
    return wanted


def _operations(kernel: Kernel, file: Path) -> list[Operation]:
    found = kernel.observe()
    return [operation for operation in diff(_wanted(file), found) if operation.key[0] not in NOT_KERNEL]


def _carry_out(kernel: Kernel, operation: Operation) -> None:
    before, after = operation.before, operation.after
    if operation.key[0] == "element":
        kernel.apply_elements(
            [after] if isinstance(after, Element) else [],
            [before] if isinstance(before, Element) and not after else [],
        )
    elif after is None:
        assert before is not None
        kernel.remove(before)
    elif before is None:
        kernel.create(after)
    else:
        kernel.change(before, after)


if __name__ == "__main__":
    main()
