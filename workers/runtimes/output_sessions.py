"""What a container's own process prints, brought to somebody who is connected; and what that one types, to the process.

Output is read from the log, as fast as the client takes it: whoever is slow is behind, and holds up nobody.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from workers.runtimes.descriptors import CHUNK, cancel
from workers.runtimes.lines import ClientGone, In, Line, Out
from workers.runtimes.logs import Logs, Selection
from workers.runtimes.protocol import Attach, Excerpt, FollowLogs
from workers.runtimes.supervisor import Supervisor

_PENDING = 512
"""Frames of input that wait for a slow process; beyond it Redis holds them back."""


class OutputSession:
    """From some of the last lines on, until the process has ended or the client has gone."""

    def __init__(self, line: Line, logs: Logs, supervisor: Supervisor, request: FollowLogs | Attach) -> None:
        self._line, self._logs, self._supervisor = line, logs, supervisor
        self._request, self._container = request, request.container
        self._gone = asyncio.Event()
        self._input: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(_PENDING)

    async def start(self) -> None:
        """Listen, and mark the place in the log from which on the client gets it. Raises Refusal."""
        self._selection = select(self._request)
        await self._line.open()
        self._reader = self._logs.read(self._container, self._request.tail)

    async def run(self) -> None:
        tasks = [
            asyncio.create_task(work())
            for work in (self._follow, self._receive, self._feed, self._line.await_absence, self._gone.wait)
        ]
        try:
            # Whatever ends first ends it: the process, the client's word, its absence, the supervisor.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(tasks)
            await self._end_input()
            self._reader.close()
            await self._line.close()

    def hang_up(self) -> None:
        self._gone.set()

    async def _receive(self) -> None:
        async for kind, data in self._line.frames():
            await self._input.put((kind, data))

    async def _feed(self) -> None:
        """Until the client says that it has gone: what it sent before still arrives."""
        wanted = isinstance(self._request, Attach) and self._request.stdin
        while True:
            kind, data = await self._input.get()
            if kind == In.GONE:
                return
            if not wanted:
                continue
            # A client may speak first and start the process then.
            await self._await_begin()
            stdio = self._supervisor.stdio(self._container)
            if kind == In.DATA and stdio is not None:
                await stdio.write(data)
            elif kind == In.END:
                await self._end_input()

    async def _await_begin(self) -> None:
        if isinstance(self._request, Attach):
            await self._supervisor.begun(self._container, self._request.incarnation)

    async def _end_input(self) -> None:
        """Of the first who attached, where it is asked for: others may give more otherwise."""
        stdio = self._supervisor.stdio(self._container)
        if isinstance(self._request, Attach) and self._request.stdin_once and stdio is not None:
            await stdio.end_input()

    async def _follow(self) -> None:
        with contextlib.suppress(ClientGone):
            await self._await_begin()
            async for _ in self._wait_for_more():
                await self._send_new()
            whole = self._follows and not self._is_over()
            await self._line.tell_exit(await self._supervisor.wait(self._container) if whole else None)

    @property
    def _follows(self) -> bool:
        return isinstance(self._request, Attach) or self._request.follow

    def _is_over(self) -> bool:
        """What comes now is too late to be wanted."""
        return bool(self._request.until) and time.time_ns() > self._request.until

    async def _wait_for_more(self) -> AsyncIterator[None]:
        """Whenever there may be something to read, the last time when all is written."""
        ended = asyncio.create_task(self._supervisor.wait(self._container))
        news = asyncio.Event()
        late = self._request.until / 1e9 if self._request.until else None
        try:
            with self._supervisor.listening(self._container, news.set):
                while not ended.done() and self._follows and not self._is_over():
                    news.clear()
                    yield
                    heard = asyncio.create_task(news.wait())
                    patience = max(0.0, late - time.time()) if late else None
                    await asyncio.wait({ended, heard}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                    heard.cancel()
            yield
        finally:
            ended.cancel()

    async def _send_new(self) -> None:
        while entries := self._reader.read():
            joined: list[tuple[Out, bytearray]] = []
            for kind, text in self._selection.take(entries):
                if joined and joined[-1][0] == kind:
                    joined[-1][1].extend(text)
                else:
                    joined.append((kind, bytearray(text)))
            for kind, whole in joined:
                for start in range(0, len(whole), CHUNK):
                    await self._line.send(kind, bytes(whole[start : start + CHUNK]))
            await asyncio.sleep(0)


def select(request: Excerpt) -> Selection:
    wanted = {Out.STDOUT: request.stdout, Out.STDERR: request.stderr}
    return Selection(
        lines=request.tail,
        since=request.since,
        until=request.until,
        timestamps=request.timestamps,
        kinds=frozenset(kind for kind, is_wanted in wanted.items() if is_wanted),
    )
