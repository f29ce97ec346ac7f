"""The standard streams of containers' own processes: they outlive the supervisor, who reads them into the log.

Outputs are named pipes beside the record, which the process has open both ways: without a supervisor there is still a
reader, so that nobody is killed by SIGPIPE, and the next supervisor opens them by their path. Until then a process
stops when the pipe is full (64 KiB, pipe(7)). A terminal, or a pipe for input, has no path: our end is kept besides.
"""

import asyncio
import contextlib
import logging
import os
import pty
import struct
from pathlib import Path

from workers.planning.objects import Process
from workers.runtimes.commands import Size, resize
from workers.runtimes.descriptors import read_some, write_all
from workers.runtimes.keeping import Keeping
from workers.runtimes.lines import Out
from workers.runtimes.logs import Writer
from workers.runtimes.processes import Streams
from workers.runtimes.protocol import check_name

log = logging.getLogger(__name__)
_PENDING = 512
"""Pieces of input that wait for a slow process; who brings more waits too."""
_NAMES = {Out.STDOUT: "stdout", Out.STDERR: "stderr"}


class Stdio:
    """Our ends of the streams of one process, and until it runs the process's own."""

    def __init__(self, folder: Path, keeping: Keeping, container: str) -> None:
        self._folder, self._keeping = folder, keeping
        self._container = check_name("container", container)
        self._outputs: dict[Out, int] = {}
        self._input = self._terminal = -1
        self._theirs: list[int] = []
        self._pending: asyncio.Queue[bytes | None] = asyncio.Queue(_PENDING)
        self._feeding: asyncio.Task[None] | None = None
        self.streams = Streams(-1, -1, -1)

    def create(self, process: Process) -> None:
        """Anew, for a process that does not run yet. Raises OSError, which leaves nothing open."""
        try:
            if process.terminal and process.image:
                # It is made in the container's own root, and brought by `take_terminal`.
                self.streams = Streams(-1, -1, -1, terminal=True)
                return
            if process.terminal:
                terminal, theirs = pty.openpty()
                self._theirs = [theirs]
                self.streams = Streams(theirs, theirs, theirs, terminal=True)
                self.take_terminal(terminal, open_stdin=process.open_stdin)
                return
            stdin = self._make_input() if process.open_stdin else os.open(os.devnull, os.O_RDONLY)
            self._theirs.append(stdin)
            for kind in _NAMES:
                self._theirs.append(self._make_output(kind))
            stdin, stdout, stderr = self._theirs
            self.streams = Streams(stdin, stdout, stderr)
        except OSError:
            self.discard()
            raise

    def take_terminal(self, terminal: int, *, open_stdin: bool) -> None:
        """Our end of a terminal that somebody else made for the process."""
        os.set_blocking(terminal, False)
        self._keeping.keep(self._container, terminal)
        self._terminal, self._outputs = terminal, {Out.STDOUT: terminal}
        self._input = terminal if open_stdin else -1

    def _make_input(self) -> int:
        theirs, self._input = os.pipe()
        os.set_blocking(self._input, False)
        self._keeping.keep(self._container, self._input)
        return theirs

    def _make_output(self, kind: Out) -> int:
        path = self._path(kind)
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        self._outputs[kind] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def _path(self, kind: Out) -> Path:
        return self._folder / f"{self._container}.{_NAMES[kind]}"

    def adopt(self, *, terminal: bool, open_stdin: bool) -> None:
        """Those of a process that an earlier supervisor began; what is lost is left out."""
        kept = self._keeping.take(self._container) if terminal or open_stdin else None
        if terminal:
            if kept is not None:
                self.take_terminal(kept, open_stdin=open_stdin)
            return
        if kept is not None:
            self._input = kept
        for kind in _NAMES:
            with contextlib.suppress(FileNotFoundError):
                self._outputs[kind] = os.open(self._path(kind), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def hand_over(self) -> None:
        """The process has its own ends, or never will: ours are the last here."""
        for descriptor in self._theirs:
            os.close(descriptor)
        self._theirs = []

    async def record(self, writer: Writer) -> None:
        """Until nobody can write any more."""
        await asyncio.gather(*(self._record(kind, fd, writer) for kind, fd in self._outputs.items()))

    async def _record(self, kind: Out, descriptor: int, writer: Writer) -> None:
        while data := await read_some(descriptor):
            try:
                writer.write(kind, data)
            except OSError as error:
                # Read on all the same: a full disk shall not stop the process.
                log.error("The log of %s cannot be written: %s", self._container, error)
            # Who writes without end must not be the only one who is read.
            await asyncio.sleep(0)

    async def write(self, data: bytes) -> None:
        """To the process's input, when those before have been; nothing where there is none, or not any more."""
        if self._input >= 0:
            self._begin_feeding()
            await self._pending.put(data)

    async def end_input(self) -> None:
        """What was written is still read. A terminal has no end."""
        if self._input >= 0 and self._terminal < 0:
            self._begin_feeding()
            await self._pending.put(None)

    def _begin_feeding(self) -> None:
        if self._feeding is None:
            self._feeding = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        reading = True
        while (data := await self._pending.get()) is not None:
            reading = reading and await write_all(self._input, data)
        self._keeping.drop(self._container)
        os.close(self._input)
        self._input = -1

    def resize(self, size: Size) -> None:
        """Nothing where there is no terminal."""
        if self._terminal >= 0:
            with contextlib.suppress(OSError, struct.error):
                resize(self._terminal, size)

    async def close(self) -> None:
        """When the process has ended, or could not begin."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])
        self.discard()

    def discard(self) -> None:
        """The same, where nothing was written yet."""
        self.hand_over()
        self._keeping.drop(self._container)
        for descriptor in {self._input, self._terminal, *self._outputs.values()} - {-1}:
            os.close(descriptor)
        self._input = self._terminal = -1
        self._outputs = {}
        for kind in _NAMES:
            self._path(kind).unlink(missing_ok=True)
