"""The control socket: one JSON line a request, one a reply; root's alone."""

import asyncio
import logging
import os
import socket
from pathlib import Path

import msgspec

from workers.contract.reports import Exit, Restart
from workers.descriptors import has_room
from workers.runtimes.commands import Size, run_once
from workers.runtimes.descriptors import cancel
from workers.runtimes.errors import Refusal
from workers.runtimes.logs import Logs
from workers.runtimes.output_sessions import select
from workers.runtimes.protocol import (
    LINE_LIMIT,
    AnyRequest,
    AskExec,
    Attach,
    Detach,
    Done,
    End,
    Exec,
    Failure,
    FollowLogs,
    Forget,
    Keep,
    Marked,
    Marks,
    Overview,
    Resize,
    RunOnce,
    Shutdown,
    Signal,
    Start,
    Started,
    Status,
    Stop,
    Text,
    Watch,
    decode_request,
    encode_event,
)
from workers.runtimes.protocol import Logs as ReadLogs
from workers.runtimes.sessions import Sessions
from workers.runtimes.supervisor import Supervisor
from workers.runtimes.sweep import Inode, Sweeper
from workers.tracing import follow, read_mark

log = logging.getLogger(__name__)
_BACKLOG = 8 << 20
"""Bytes of events that a watcher may leave unread before it is dropped; it asks again and is told all."""
_NO_ROOM = (
    "The supervisor of processes has too many open files to begin another one; raise its limit (LimitNOFILE)."
)


def bind(path: Path) -> socket.socket:
    """The listening socket, mode 0600. What an ended supervisor left at `path` is replaced."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


class Control:
    def __init__(self, supervisor: Supervisor, sessions: Sessions, sweeper: Sweeper, logs: Logs) -> None:
        self._supervisor, self._sessions = supervisor, sessions
        self._sweeper, self._logs = sweeper, logs
        self._finished = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None

    async def serve(self, listener: socket.socket) -> None:
        """Until a shutdown is through."""
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=LINE_LIMIT)
        try:
            await self._finished.wait()
        finally:
            server.close()
            await cancel(self._connections)

    async def shut_down(self, timeout: float | None) -> None:
        """End everything once, however often it is asked for."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._shut_down(timeout))
        await asyncio.shield(self._ending)

    async def _shut_down(self, timeout: float | None) -> None:
        await asyncio.gather(self._supervisor.shutdown(timeout), self._sessions.shutdown())

    def finish(self) -> None:
        self._finished.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                request = self._decode(line)
                if isinstance(request, Watch):
                    await self._watch(reader, writer)
                    return
                asked, id = read_mark(line)
                with follow(id):
                    reply = request if isinstance(request, Failure) else await self._answer(request)
                    log.info("%s: %s", asked, reply.error if isinstance(reply, Failure) else "done")
                writer.write(msgspec.json.encode(reply) + b"\n")
                await writer.drain()
                if isinstance(request, Shutdown):
                    self.finish()
        except (ConnectionError, ValueError):
            # Hung up, or a line over the limit: there is nobody or no way to answer.
            pass
        finally:
            writer.close()

    @staticmethod
    def _decode(line: bytes) -> AnyRequest | Failure:
        try:
            return decode_request(line)
        except msgspec.MsgspecError as error:
            return Failure(error=f"The request is not understood: {error}.", code=2)

    async def _answer(self, request: AnyRequest) -> msgspec.Struct:
        try:
            return await self._dispatch(request)
        except Refusal as refusal:
            return Failure(error=str(refusal), code=refusal.code)
        except OSError as error:
            log.exception("%s failed", type(request).__name__)
            return Failure(error=f"The supervisor could not do it: {error}.", code=125)

    async def _dispatch(self, request: AnyRequest) -> msgspec.Struct:
        if isinstance(request, Start | Exec | RunOnce | FollowLogs | Attach) and not has_room():
            # Before anything is half begun; what runs can still be seen to its end.
            raise Refusal(_NO_ROOM)
        match request:
            case Start():
                return Started(pid=self._supervisor.start(request))
            case Stop():
                self._supervisor.stop(request.container, request.timeout)
            case End():
                await self._supervisor.end(request.sandbox)
            case Signal():
                self._supervisor.signal(request.container, request.signal)
            case Status():
                return Overview(containers=self._supervisor.status())
            case Forget():
                self._supervisor.forget(request.container, request.remains)
            case Keep():
                self._supervisor.keep(request.containers)
            case Exec():
                return Started(pid=await self._sessions.begin_exec(request))
            case Detach():
                return Started(pid=self._sessions.detached.start(request))
            case AskExec():
                return self._sessions.detached.state(request.session)
            case RunOnce():
                return await run_once(request, self._supervisor.begin_beside, self._sweeper)
            case ReadLogs():
                text = self._logs.read_text(request.container, select(request))
                return Text(text=text.decode("utf-8", "replace"))
            case FollowLogs() | Attach():
                await self._sessions.begin_output(request)
            case Resize():
                self._supervisor.resize(request.container, Size(columns=request.columns, rows=request.rows))
            case Marks():
                return self._mark(request.container)
            case Shutdown():
                await self.shut_down(request.timeout)
        return Done()

    def _mark(self, container: str) -> Marked:
        found = [*self._supervisor.marks(container), *self._sessions.marks(container)]
        sessions = [each.session for each in found if each.session is not None]
        namespaces = frozenset[Inode]().union(*(each.namespaces for each in found))
        return Marked(sessions=tuple(sessions), namespaces=tuple(namespaces))

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(msgspec.json.encode(Done()) + b"\n")

        def tell(news: Exit | Restart) -> None:
            writer.write(encode_event(news) + b"\n")
            if writer.transport.get_write_buffer_size() > _BACKLOG:
                writer.transport.abort()

        leave = self._supervisor.watch(tell)
        try:
            # The client says nothing more; reading tells when it hangs up.
            while await reader.read(1024):
                pass
        finally:
            leave()
