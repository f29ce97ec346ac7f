"""How processes begin: in the host's own root directory, or in that of an image by the OCI runtime."""

from collections.abc import Callable

from workers.planning.objects import Process
from workers.runtimes.commands import Size
from workers.runtimes.crun import Crun
from workers.runtimes.namespace import NamedNamespace
from workers.runtimes.processes import Child, Started, Streams, build_environment, spawn
from workers.runtimes.protocol import Command
from workers.runtimes.specification import Asked


def begin_first(process: Process, streams: Streams, register: Callable[[int], None], crun: Crun) -> Started:
    """A container's own process. Raises Refusal.

    `register` gets the pid before the process can do anything: were we killed then, its record is there.
    """
    if process.image:
        return crun.start(process, streams, register)
    environment = build_environment(process.hostname, process.env)
    entrance = NamedNamespace(process.sandbox, process.hostname)
    return Started(spawn(process.command, environment, entrance, streams, register))


def begin_outside(command: Command, streams: Streams) -> Started:
    """A further command for a container without an image. Raises Refusal."""
    environment = build_environment(command.hostname, command.env)
    entrance = NamedNamespace(command.sandbox, command.hostname)
    return Started(spawn(command.command, environment, entrance, streams))


def begin_inside(command: Command, streams: Streams, size: Size, first: Child, crun: Crun) -> Started:
    """A further command beside the first process of a container with an image. Raises Refusal."""
    asked = Asked(
        command=command.command,
        env=command.env,
        terminal=streams.terminal,
        user=command.user,
        working_dir=command.working_dir,
        size=(size.columns, size.rows),
    )
    return crun.exec(command.container, first.pid, asked, streams)
