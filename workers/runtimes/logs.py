"""Log files of containers: each process appends to its own, whether a supervisor is there or not.

A file over 10 MiB is cut once a second: its last 10 MiB become `<container>.log.1` (the one before is lost) and
it starts anew. The writer keeps its descriptor, so what it writes in that instant may be lost.
"""

import os
from pathlib import Path

from workers.runtimes.protocol import LOG_LIMIT, check_name

ROTATE_ABOVE = 10 << 20
ROTATE_EVERY = 1.0


class Logs:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def open(self, container: str) -> int:
        """A descriptor that appends; the caller closes it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path(container), flags, 0o600)

    def path(self, container: str) -> Path:
        return self._folder / f"{check_name('container', container)}.log"

    def drop(self, container: str) -> None:
        path = self.path(container)
        for each in (path, _older(path)):
            each.unlink(missing_ok=True)

    def rotate(self) -> None:
        for path in self._folder.glob("*.log"):
            size = path.stat().st_size
            if size > ROTATE_ABOVE:
                _cut(path, size)

    def read_tail(self, container: str, lines: int | None) -> tuple[bytes, int]:
        """The last lines (None: all), 1 MiB at most, and how far into the current file that reaches."""
        path = self.path(container)
        current = _read_end(path, LOG_LIMIT)
        position = path.stat().st_size if current else 0
        text = current
        if len(text) < LOG_LIMIT:
            text = _read_end(_older(path), LOG_LIMIT - len(text)) + text
        return (text if lines is None else _last_lines(text, lines)), position

    def read_on(self, container: str, position: int, size: int) -> tuple[bytes, int]:
        """At most `size` bytes written since `position`, and the next position."""
        try:
            with open(self.path(container), "rb") as file:
                if os.fstat(file.fileno()).st_size < position:
                    # It was cut meanwhile.
                    position = 0
                file.seek(position)
                data = file.read(size)
        except FileNotFoundError:
            return b"", 0
        return data, position + len(data)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _cut(path: Path, size: int) -> None:
    with open(path, "r+b") as current, open(_older(path), "wb") as older:
        # In the kernel, and bounded: nothing else is served meanwhile.
        os.chmod(older.fileno(), 0o600)
        offset = size - ROTATE_ABOVE
        while offset < size:
            copied = os.sendfile(older.fileno(), current.fileno(), offset, size - offset)
            if not copied:
                break
            offset += copied
        current.truncate(0)


def _read_end(path: Path, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)
    except FileNotFoundError:
        return b""


def _last_lines(text: bytes, lines: int) -> bytes:
    if lines == 0:
        return b""
    return b"".join(text.splitlines(keepends=True)[-lines:])
