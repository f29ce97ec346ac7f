"""Which files were changed: inotify, of which the standard library knows nothing (inotify(7))."""

import ctypes
import os
import struct
from collections.abc import Iterator

from workers.kernel.errors import KernelError

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
NAMES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
"""What comes into a folder and leaves it."""
CONTENTS = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
"""What changes the files that are in it."""
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_EVENT = struct.Struct("=iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watched:
    """Folders under watch, each with a label that its changes are told by; None: by the name of what changed."""

    def __init__(self) -> None:
        self.descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise KernelError(
                "Changes of files cannot be watched: raise the kernel setting fs.inotify.max_user_instances."
            )
        self._labels: dict[int, str | None] = {}

    def close(self) -> None:
        os.close(self.descriptor)

    def add(self, folder: str, events: int, label: str | None = None) -> None:
        """Watch a folder; one that is not there, or one too many for the kernel, is left to the periodic look.

        One that is watched already stays so: the kernel goes by the folder, not by its name.
        """
        watch = _libc.inotify_add_watch(self.descriptor, folder.encode(), events)
        if watch >= 0:
            self._labels[watch] = label

    def drain(self) -> Iterator[str | None]:
        """The label of each change since the last time; None: some were lost."""
        while True:
            try:
                data = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                return
            position = 0
            while position < len(data):
                watch, event, _, length = _EVENT.unpack_from(data, position)
                name = data[position + _EVENT.size :][:length].rstrip(b"\0").decode(errors="replace")
                position += _EVENT.size + length
                if event & _OVERFLOW:
                    yield None
                elif event & _IGNORED:
                    self._labels.pop(watch, None)
                elif watch in self._labels:
                    yield self._labels[watch] or name
