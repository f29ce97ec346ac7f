"""Commands run inside a sandbox for somebody who is connected."""

import asyncio
import struct

import msgspec

from workers.contract.state import Struct
from workers.runtimes.commands import Begin, Pipes, Size, drain, hang_up, resize
from workers.runtimes.descriptors import cancel, write_all
from workers.runtimes.errors import Refusal
from workers.runtimes.lines import ABSENCE, ClientGone, In, Line, Out
from workers.runtimes.protocol import Exec
from workers.runtimes.signals import parse_signal
from workers.runtimes.sweep import Footprint, Sweeper

_PENDING = 512
"""Frames of input that wait for a slow process; beyond it Redis holds them back."""
_LAST_WORDS = 0.5
"""Seconds for the rest of the output of a command that was hung up on."""
_END_OF_INPUT = b"\x04"


class _Signal(Struct, frozen=True, kw_only=True):
    signal: str


class ExecSession:
    """A command whose streams are bridged to a client, from start to exit."""

    def __init__(self, line: Line, sweeper: Sweeper, request: Exec, begin: Begin) -> None:
        self._line, self._sweeper, self._begin = line, sweeper, begin
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
            self._child = self._pipes.start(self._request, self._begin)
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
            await self._line.tell_exit(await ended, 0.0 if self._gone.is_set() else ABSENCE)
        finally:
            tasks = [*outputs, *others, ended, gone]
            await cancel(tasks)
            self._pipes.close()
            self._child.close()
            await self._line.close()

    @property
    def container(self) -> str:
        return self._request.container

    @property
    def marks(self) -> Footprint:
        """By what its processes are known."""
        return self._child.marks

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
