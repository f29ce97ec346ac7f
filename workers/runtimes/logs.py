"""Log files of containers, in the lines that Kubernetes' runtimes write: `TIME stdout|stderr F|P TEXT`.

F ends a line, P is a piece of one whose end had not come yet. TIME (RFC 3339, UTC, nanoseconds) is when the supervisor
read it. A file over 10 MiB becomes `<container>.log.1`, in place of the one before, and a new one begins; whoever
reads the old one goes on in the new one. A line of another form is taken as one of standard output, without a time.
"""

import contextlib
import mmap
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workers.runtimes.lines import Out
from workers.runtimes.protocol import LOG_LIMIT, check_name

ROTATE_ABOVE = 10 << 20
CHUNK = 64 << 10
"""Bytes read at once: more than any line that we write."""
_STREAMS = {Out.STDOUT: b"stdout", Out.STDERR: b"stderr"}
_KINDS = {word: kind for kind, word in _STREAMS.items()}
_RECORD = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([FP]) (.*)", re.DOTALL)
_PIECE = re.compile(rb"\S{30} std(?:out|err) P ")
_PREFIX = 48
"""Bytes in which a record's beginning has its place."""


@dataclass(frozen=True)
class Entry:
    time: bytes
    """As in the file, so that later is greater; empty where there is none."""
    kind: Out
    text: bytes
    """With its line end, if that has come."""


def show_time(nanoseconds: int) -> bytes:
    """Since 1970, as logs have it."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return b"%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode(), rest)


class Writer:
    """Appends to the log of one container; the only one that does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)
        self._size = os.fstat(self._descriptor).st_size
        self._listeners: set[Callable[[], None]] = set()

    def write(self, kind: Out, data: bytes) -> None:
        """Raises OSError when the disk does not take it."""
        whole, ended, piece = data.rpartition(b"\n")
        before = show_time(time.time_ns()) + b" " + _STREAMS[kind]
        records = b""
        if ended:
            records = before + b" F " + whole.replace(b"\n", b"\n" + before + b" F ") + b"\n"
        if piece:
            records += before + b" P " + piece + b"\n"
        self._size += os.write(self._descriptor, records)
        if self._size > ROTATE_ABOVE:
            self._rotate()
        for listener in self._listeners:
            listener()

    def _rotate(self) -> None:
        os.replace(self._path, _older(self._path))
        os.close(self._descriptor)
        self._descriptor, self._size = _open(self._path), 0

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have it called after each piece that was written."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        os.close(self._descriptor)


class Reader:
    """Goes through a log, from some of its last lines on, and on to what is written later."""

    def __init__(self, path: Path, lines: int | None) -> None:
        """`lines`: from how many of the last ones on; None: from the oldest that is kept."""
        self._path = path
        self._file: BinaryIO | None = None
        self._begin(lines)

    def _begin(self, lines: int | None) -> None:
        rest = lines
        for path in (self._path, _older(self._path)):
            file = _try_open(path)
            if file is None:
                continue
            self.close()
            self._file = file
            if rest is None:
                continue
            rest -= _seek_lines(file, rest)
            if rest <= 0:
                return

    def read(self) -> list[Entry]:
        """Some of what comes next; nothing at the end of what there is."""
        while True:
            if self._file is not None:
                data = self._file.read(CHUNK)
                if data:
                    return self._parse(data)
            if not self._go_on():
                return []

    def _parse(self, data: bytes) -> list[Entry]:
        assert self._file is not None
        whole, end, rest = data.rpartition(b"\n")
        if end:
            self._file.seek(-len(rest), os.SEEK_CUR)
        return [parse(line) for line in (whole if end else rest).split(b"\n")]

    def _go_on(self) -> bool:
        """To the file that took this one's place; False: this is the latest."""
        file = _try_open(self._path)
        if file is None:
            return False
        if self._file is not None and os.path.sameopenfile(self._file.fileno(), file.fileno()):
            file.close()
            return False
        self.close()
        self._file = file
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Logs:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def path(self, container: str) -> Path:
        return self._folder / f"{check_name('container', container)}.log"

    def write(self, container: str) -> Writer:
        return Writer(self.path(container))

    def read(self, container: str, lines: int | None) -> Reader:
        return Reader(self.path(container), lines)

    def drop(self, container: str) -> None:
        path = self.path(container)
        for each in (path, _older(path)):
            each.unlink(missing_ok=True)

    def read_text(self, container: str, selection: "Selection") -> bytes:
        """The last of it, 1 MiB at most."""
        text = bytearray()
        with contextlib.closing(self.read(container, selection.lines)) as reader:
            while entries := reader.read():
                text += b"".join(text for _, text in selection.take(entries))
                del text[: max(0, len(text) - LOG_LIMIT)]
        return bytes(text)

    def sweep(self, kept: Collection[str]) -> None:
        """Drop those of all other containers."""
        for path in self._folder.glob("*.log*"):
            if path.name.partition(".log")[0] not in kept:
                path.unlink(missing_ok=True)


class Selection:
    """Which entries are wanted, and how they are shown."""

    def __init__(
        self,
        *,
        lines: int | None = None,
        since: int = 0,
        until: int = 0,
        timestamps: bool = False,
        kinds: frozenset[Out] = frozenset(_STREAMS),
    ) -> None:
        """`since`, `until`: nanoseconds since 1970, 0 for no limit."""
        self.lines = lines
        self._since = show_time(since) if since else b""
        self._until = show_time(until) if until else b""
        self._timestamps, self._kinds = timestamps, kinds
        self._midway: set[Out] = set()

    def take(self, entries: list[Entry]) -> Iterator[tuple[Out, bytes]]:
        for entry in entries:
            late = self._until and entry.time > self._until
            if entry.kind not in self._kinds or late or entry.time < self._since:
                continue
            text = entry.text
            if self._timestamps and entry.kind not in self._midway:
                text = (entry.time + b" " if entry.time else b"") + text
            (self._midway.discard if text.endswith(b"\n") else self._midway.add)(entry.kind)
            yield entry.kind, text


def parse(line: bytes) -> Entry:
    """A line of a log, without its end."""
    found = _RECORD.match(line)
    if found is None:
        return Entry(b"", Out.STDOUT, line + b"\n")
    at, stream, tag, text = found.groups()
    return Entry(at, _KINDS[stream], text + b"\n" if tag == b"F" else text)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _try_open(path: Path) -> BinaryIO | None:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        return None


def _seek_lines(file: BinaryIO, lines: int) -> int:
    """Go to the begin of the last `lines` lines; how many there are from there on, less if the file has not so many."""
    size = file.seek(0, os.SEEK_END)
    if not (size and lines):
        return 0
    count, position = 0, size
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
        while position > 0:
            start = content.rfind(b"\n", 0, position - 1) + 1
            # A piece belongs to the line that ends after it, or that has not ended yet.
            if position == size or not _PIECE.match(content[start : start + _PREFIX]):
                if count == lines:
                    break
                count += 1
            position = start
    file.seek(position)
    return count
