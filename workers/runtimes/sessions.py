"""Sessions: what somebody who is connected over Redis follows or gives input to, by their ids."""

import asyncio
import logging
from typing import Protocol

from redis.asyncio import Redis

from workers.runtimes.detached import Detached
from workers.runtimes.errors import Refusal
from workers.runtimes.exec_sessions import ExecSession
from workers.runtimes.lines import Line
from workers.runtimes.logs import Logs
from workers.runtimes.output_sessions import OutputSession
from workers.runtimes.protocol import Attach, Exec, FollowLogs, check_name
from workers.runtimes.supervisor import Supervisor
from workers.runtimes.sweep import Footprint, Sweeper

log = logging.getLogger(__name__)


class _Session(Protocol):
    async def run(self) -> None: ...

    def hang_up(self) -> None: ...


class Sessions:
    """All that are open on this host, by their id."""

    def __init__(
        self, redis: Redis | None, host: str, supervisor: Supervisor, sweeper: Sweeper, logs: Logs
    ) -> None:
        self._redis, self._host = redis, host
        self._supervisor, self._sweeper, self._logs = supervisor, sweeper, logs
        self.detached = Detached(supervisor.begin_beside, sweeper)
        self._open: dict[str, asyncio.Task[None]] = {}
        self._sessions: dict[str, _Session] = {}

    async def begin_exec(self, request: Exec) -> int:
        """Pid of the command. Raises Refusal."""
        session = ExecSession(
            self._make_line(request.session), self._sweeper, request, self._supervisor.begin_beside
        )
        self._sessions[request.session] = session
        try:
            pid = await session.start()
        except BaseException:
            del self._sessions[request.session]
            raise
        self._run(request.session, session)
        return pid

    async def begin_output(self, request: FollowLogs | Attach) -> None:
        """Raises Refusal."""
        check_name("container", request.container)
        session = OutputSession(self._make_line(request.session), self._logs, self._supervisor, request)
        self._sessions[request.session] = session
        try:
            await session.start()
        except BaseException:
            del self._sessions[request.session]
            raise
        self._run(request.session, session)

    def marks(self, container: str) -> list[Footprint]:
        """Of the commands that run beside a container's process."""
        return self.detached.marks(container) + [
            session.marks
            for id, session in self._sessions.items()
            if id in self._open and isinstance(session, ExecSession) and session.container == container
        ]

    async def shutdown(self) -> None:
        """Hang up on all commands and wait for their end."""
        for session in self._sessions.values():
            session.hang_up()
        await self.detached.shutdown()
        if self._open:
            await asyncio.wait(self._open.values())

    def _make_line(self, session: str) -> Line:
        if self._redis is None:
            raise Refusal(
                "The supervisor was started without Redis (--redis), so it has no streams for sessions."
            )
        check_name("session", session)
        if session in self._sessions:
            raise Refusal(f"The session {session!r} exists already; take a fresh id.")
        return Line(self._redis, self._host, session)

    def _run(self, id: str, session: _Session) -> None:
        task = asyncio.create_task(session.run())
        self._open[id] = task
        task.add_done_callback(lambda _: self._close(id, task))

    def _close(self, id: str, task: "asyncio.Task[None]") -> None:
        del self._open[id], self._sessions[id]
        if not task.cancelled() and (error := task.exception()):
            log.error("The session %s broke off: %s", id, error, exc_info=error)
