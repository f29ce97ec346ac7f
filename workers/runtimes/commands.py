"""Commands run inside a sandbox besides the container's own process: their descriptors, their output, their end."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable

from workers.contract.state import Struct
from workers.runtimes.descriptors import read_some
from workers.runtimes.lines import Out
from workers.runtimes.processes import Child, Started, Streams
from workers.runtimes.protocol import Command, Output, RunOnce
from workers.runtimes.sweep import Sweeper

TIMED_OUT = 124
"""What timeout(1) exits with."""
_LINGER = 2.0
"""Seconds that output is waited for after the process has ended: what it left in the background may hold the pipe."""
_PIPE = 64 << 10
"""Bytes that a pipe or terminal may still hold from a process that has ended (pipe(7))."""
_HANG_UP = 2.0
"""Seconds between SIGHUP and SIGKILL."""


class Size(Struct, frozen=True, kw_only=True):
    """Of a terminal, in characters."""

    columns: int
    rows: int


Begin = Callable[[Command, Streams, Size], Started]
"""Starts a command where it shall run; the size is that of its terminal. Raises Refusal."""


class Pipes:
    """The descriptors of one command: ours, and the child's until it has started."""

    def __init__(self) -> None:
        self.input = -1
        self.outputs: dict[Out, int] = {}
        self.terminal: Size | None = None
        self._theirs: list[int] = []
        self.streams = Streams(-1, -1, -1)

    @classmethod
    def for_terminal(cls, size: Size) -> "Pipes":
        pipes = cls()
        ours, theirs = pty.openpty()
        resize(ours, size)
        pipes.input, pipes.outputs, pipes.terminal = ours, {Out.STDOUT: ours}, size
        pipes._theirs = [theirs]
        pipes.streams = Streams(theirs, theirs, theirs, terminal=True)
        pipes._unblock()
        return pipes

    @classmethod
    def for_pipes(cls) -> "Pipes":
        pipes = cls()
        stdin, pipes.input = os.pipe()
        stdout, stdout_theirs = os.pipe()
        stderr, stderr_theirs = os.pipe()
        pipes.outputs = {Out.STDOUT: stdout, Out.STDERR: stderr}
        pipes._theirs = [stdin, stdout_theirs, stderr_theirs]
        pipes.streams = Streams(stdin, stdout_theirs, stderr_theirs)
        pipes._unblock()
        return pipes

    @classmethod
    def for_output(cls) -> "Pipes":
        """One pipe for both outputs, and no input."""
        pipes = cls()
        null = os.open(os.devnull, os.O_RDONLY)
        ours, theirs = os.pipe()
        pipes.outputs, pipes._theirs = {Out.STDOUT: ours}, [null, theirs]
        pipes.streams = Streams(null, theirs, theirs)
        pipes._unblock()
        return pipes

    @classmethod
    def for_nothing(cls) -> "Pipes":
        """No input, and outputs that nobody wants."""
        pipes = cls()
        null = os.open(os.devnull, os.O_RDWR)
        pipes._theirs, pipes.streams = [null], Streams(null, null, null)
        return pipes

    def _unblock(self) -> None:
        for descriptor in {self.input, *self.outputs.values()} - {-1}:
            os.set_blocking(descriptor, False)

    def start(self, request: Command, begin: Begin) -> Child:
        """Raises Refusal; the pipes are closed then."""
        size = self.terminal or Size(columns=80, rows=24)
        try:
            started = begin(request, self.streams, size)
        except BaseException:
            self.close()
            raise
        finally:
            for descriptor in self._theirs:
                os.close(descriptor)
            self._theirs = []
        if started.terminal >= 0:
            self._take(started.terminal, size)
        return started.child

    def _take(self, terminal: int, size: Size) -> None:
        """The terminal was made inside: it is the one, in place of ours."""
        os.close(self.input)
        self.input, self.outputs = terminal, {Out.STDOUT: terminal}
        resize(terminal, size)
        self._unblock()

    def close_input(self) -> None:
        if self.input >= 0 and not self.terminal:
            os.close(self.input)
        self.input = -1

    def close(self) -> None:
        self.close_input()
        for descriptor in self.outputs.values():
            os.close(descriptor)
        self.outputs = {}


def resize(terminal: int, size: Size) -> None:
    """TIOCSWINSZ; the kernel tells the foreground process."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))


async def drain(child: Child, descriptor: int) -> AsyncIterator[bytes]:
    """What a command writes, until nobody can write any more, or it has ended and its own output is through."""
    ended = asyncio.create_task(child.wait())
    deadline, after = 0.0, 0
    try:
        while not (deadline and after >= _PIPE and time.monotonic() > deadline):
            read = asyncio.create_task(read_some(descriptor))
            try:
                await asyncio.wait({read, ended}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done() and not deadline:
                    deadline = time.monotonic() + _LINGER
                await asyncio.wait(
                    {read}, timeout=max(0.0, deadline - time.monotonic()) if deadline else None
                )
                if not read.done() or not (data := read.result()):
                    return
            finally:
                read.cancel()
            after += len(data) if deadline else 0
            yield data
    finally:
        ended.cancel()


async def run_once(request: RunOnce, begin: Begin, sweeper: Sweeper) -> Output:
    """Run to the end or the time limit, by which everything it began is killed. Raises Refusal."""
    pipes = Pipes.for_output()
    child = pipes.start(request, begin)
    kept = bytearray()
    truncated = False
    code = TIMED_OUT
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.timeout):
                async for data in drain(child, pipes.outputs[Out.STDOUT]):
                    # Read to the end all the same: a full pipe would keep the command from ending.
                    truncated = truncated or len(kept) + len(data) > request.limit
                    kept += data[: request.limit - len(kept)]
                code = await child.wait()
    finally:
        if code == TIMED_OUT:
            await kill(child, sweeper)
            await child.wait()
        pipes.close()
        child.close()
    return Output(code=code, output=kept.decode("utf-8", "replace"), truncated=truncated)


async def hang_up(child: Child, sweeper: Sweeper) -> None:
    """SIGHUP, then SIGKILL for all that the command has begun."""
    child.send(signal.SIGHUP)
    child.send(signal.SIGCONT)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), _HANG_UP)
    await kill(child, sweeper)


async def kill(child: Child, sweeper: Sweeper) -> None:
    await sweeper.clear(child.marks)
