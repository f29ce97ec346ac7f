"""Commands run inside a sandbox that nobody follows: they need no client, and how they ended is told afterwards."""

import asyncio
from dataclasses import dataclass

from workers.runtimes.commands import Begin, Pipes, Size, drain, hang_up
from workers.runtimes.errors import Refusal
from workers.runtimes.processes import Child
from workers.runtimes.protocol import Detach, ExecState, check_name
from workers.runtimes.sweep import Footprint, Sweeper

_KEPT = 1000
"""Of how many that have ended it is known how."""


@dataclass(frozen=True)
class _Running:
    container: str
    child: Child
    attended: "asyncio.Task[None]"


class Detached:
    """All of this host, by their ids; a supervisor that is started again knows nothing of those before."""

    def __init__(self, begin: Begin, sweeper: Sweeper) -> None:
        self._begin, self._sweeper = begin, sweeper
        self._running: dict[str, _Running] = {}
        self._codes: dict[str, int] = {}

    def start(self, request: Detach) -> int:
        """Pid of the command. Raises Refusal."""
        id = check_name("session", request.session)
        if id in self._running or id in self._codes:
            raise Refusal(f"The session {id!r} exists already; take a fresh id.")
        size = Size(columns=request.columns, rows=request.rows)
        pipes = Pipes.for_terminal(size) if request.tty else Pipes.for_nothing()
        child = pipes.start(request, self._begin)
        attended = asyncio.create_task(self._attend(id, child, pipes))
        self._running[id] = _Running(request.container, child, attended)
        return child.pid

    async def _attend(self, id: str, child: Child, pipes: Pipes) -> None:
        try:
            # What is written to a terminal must be read, or the command waits for that.
            for descriptor in pipes.outputs.values():
                async for _ in drain(child, descriptor):
                    pass
            self._codes[id] = await child.wait()
        finally:
            pipes.close()
            child.close()
            del self._running[id]
        if len(self._codes) > _KEPT:
            del self._codes[next(iter(self._codes))]

    def state(self, id: str) -> ExecState:
        if id in self._running:
            return ExecState(state="running")
        if id in self._codes:
            return ExecState(state="ended", code=self._codes[id])
        return ExecState(state="unknown")

    def marks(self, container: str) -> list[Footprint]:
        """By what those of a container are known."""
        return [each.child.marks for each in self._running.values() if each.container == container]

    async def shutdown(self) -> None:
        """Hang up on all and wait for their end."""
        running = list(self._running.values())
        await asyncio.gather(*(hang_up(each.child, self._sweeper) for each in running))
        await asyncio.gather(*(each.attended for each in running))
