"""Sessions: commands run inside a sandbox for somebody who is connected, and logs that somebody follows."""

import asyncio
import contextlib
import logging
import struct
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis

from workers.contract.state import Struct
from workers.runtimes.commands import Pipes, Size, drain, hang_up, resize
from workers.runtimes.descriptors import CHUNK, write_all
from workers.runtimes.errors import Refusal
from workers.runtimes.lines import ABSENCE, ClientGone, In, Line, Out
from workers.runtimes.logs import Logs
from workers.runtimes.protocol import Exec, FollowLogs, check_name
from workers.runtimes.supervisor import Supervisor, parse_signal
from workers.runtimes.sweep import Sweeper

log = logging.getLogger(__name__)
_PENDING = 512
"""Frames of input that wait for a slow process; beyond it Redis holds them back."""
_LAST_WORDS = 0.5
"""Seconds for the rest of the output of a command that was hung up on."""
_LOOK = 0.1
_END_OF_INPUT = b"\x04"


class _Signal(Struct, frozen=True, kw_only=True):
    signal: str


async def cancel(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel and wait, so that no descriptor is closed under a task that reads it."""
    gathered = list(tasks)
    for task in gathered:
        task.cancel()
    await asyncio.gather(*gathered, return_exceptions=True)


async def _tell_exit(line: Line, code: int | None, patience: float) -> None:
    with contextlib.suppress(ClientGone):
        await line.send(Out.EXIT, msgspec.json.encode({"code": code}), patience)


class ExecSession:
    """A command whose streams are bridged to a client, from start to exit."""

    def __init__(self, line: Line, sweeper: Sweeper, request: Exec) -> None:
        self._line, self._sweeper = line, sweeper
        self._request = request
        self._gone = asyncio.Event()
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue(_PENDING)

    async def start(self) -> int:
        """Listen, then run: nothing is lost between. The pid; raises Refusal."""
        await self._line.open()
        try:
            if self._request.tty:
                self._pipes = Pipes.for_terminal(Size(columns=self._request.columns, rows=self._request.rows))
            else:
                self._pipes = Pipes.for_pipes()
            self._child = self._pipes.start(self._request)
        except BaseException:
            await self._line.close()
            raise
        return self._child.pid

    async def run(self) -> None:
        """Until the process has ended and the client was told."""
        outputs = [asyncio.create_task(self._send(kind, fd)) for kind, fd in self._pipes.outputs.items()]
        others = [asyncio.create_task(work()) for work in (self._receive, self._feed, self._miss_client)]
        ended = asyncio.create_task(self._child.wait())
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await hang_up(self._child, self._sweeper)
            # Nobody may be there to take the rest: then it is tried, not insisted on.
            await asyncio.wait(outputs, timeout=_LAST_WORDS if self._gone.is_set() else None)
            await cancel(outputs)
            await _tell_exit(self._line, await ended, 0.0 if self._gone.is_set() else ABSENCE)
        finally:
            tasks = [*outputs, *others, ended, gone]
            await cancel(tasks)
            self._pipes.close()
            self._child.close()
            await self._line.close()

    def hang_up(self) -> None:
        """As if the client had gone."""
        self._gone.set()

    async def _send(self, kind: Out, descriptor: int) -> None:
        """Bring one output to the client: it is read only as fast as Redis takes it."""
        try:
            async for data in drain(self._child, descriptor):
                await self._line.send(kind, data)
        except ClientGone:
            self._gone.set()

    async def _miss_client(self) -> None:
        await self._line.await_absence()
        self._gone.set()

    async def _receive(self) -> None:
        async for kind, data in self._line.frames():
            try:
                await self._take(kind, data)
            except (msgspec.MsgspecError, Refusal, OSError, struct.error):
                # A frame that makes no sense has no reply to refuse it with; the session goes on.
                continue

    async def _take(self, kind: int, data: bytes) -> None:
        if kind == In.DATA:
            await self._input.put(data)
        elif kind == In.END:
            await self._input.put(None)
        elif kind == In.RESIZE and self._pipes.terminal:
            resize(self._pipes.outputs[Out.STDOUT], msgspec.json.decode(data, type=Size))
        elif kind == In.SIGNAL:
            self._child.send(parse_signal(msgspec.json.decode(data, type=_Signal).signal))
        elif kind == In.GONE:
            self._gone.set()

    async def _feed(self) -> None:
        """Write the input; once the process has closed its end the rest is dropped."""
        reading = True
        while (data := await self._input.get()) is not None:
            reading = reading and await write_all(self._pipes.input, data)
        if self._pipes.terminal:
            await write_all(self._pipes.input, _END_OF_INPUT)
        else:
            self._pipes.close_input()


class LogSession:
    """A container's log, from its last lines on until its process has ended."""

    def __init__(self, line: Line, logs: Logs, supervisor: Supervisor, request: FollowLogs) -> None:
        self._line, self._logs, self._supervisor = line, logs, supervisor
        self._request = request
        self._gone = asyncio.Event()

    async def start(self) -> None:
        """Raises Refusal."""
        await self._line.open()

    async def run(self) -> None:
        tasks = [
            asyncio.create_task(work()) for work in (self._follow, self._receive, self._line.await_absence)
        ]
        tasks.append(asyncio.create_task(self._hung_up()))
        try:
            # Whatever ends first ends it: the process, the client's word, its absence, the supervisor.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(tasks)
            await self._line.close()

    def hang_up(self) -> None:
        self._gone.set()

    async def _hung_up(self) -> None:
        await self._gone.wait()

    async def _receive(self) -> None:
        async for kind, _ in self._line.frames():
            if kind == In.GONE:
                return

    async def _follow(self) -> None:
        container = self._request.container
        ended = asyncio.create_task(self._supervisor.wait(container))
        try:
            text, position = self._logs.read_tail(container, self._request.tail)
            for start in range(0, len(text), CHUNK):
                await self._line.send(Out.STDOUT, text[start : start + CHUNK])
            last = False
            while not last:
                # Asked before reading: what was written before the end is then read after it.
                last = ended.done()
                position = await self._send_new(container, position)
                if not last:
                    await asyncio.wait({ended}, timeout=_LOOK)
            await _tell_exit(self._line, ended.result(), ABSENCE)
        except ClientGone:
            return
        finally:
            ended.cancel()

    async def _send_new(self, container: str, position: int) -> int:
        while True:
            data, position = self._logs.read_on(container, position, CHUNK)
            if not data:
                return position
            await self._line.send(Out.STDOUT, data)


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
        self._open: dict[str, asyncio.Task[None]] = {}
        self._sessions: dict[str, _Session] = {}

    async def begin_exec(self, request: Exec) -> int:
        """Pid of the command. Raises Refusal."""
        session = ExecSession(self._make_line(request.session), self._sweeper, request)
        self._sessions[request.session] = session
        try:
            pid = await session.start()
        except BaseException:
            del self._sessions[request.session]
            raise
        self._run(request.session, session)
        return pid

    async def begin_follow(self, request: FollowLogs) -> None:
        """Raises Refusal."""
        check_name("container", request.container)
        session = LogSession(self._make_line(request.session), self._logs, self._supervisor, request)
        self._sessions[request.session] = session
        try:
            await session.start()
        except BaseException:
            del self._sessions[request.session]
            raise
        self._run(request.session, session)

    async def shutdown(self) -> None:
        """Hang up on all commands and wait for their end."""
        for session in self._sessions.values():
            session.hang_up()
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
