"""`python -m workers.images.unpack ROOT BUDGET OFFSET:SIZE …`: layers of an archive on standard input become one root.

It runs as a process of its own (`apart`) that shuts itself up in ROOT first (chroot(2)): whatever a layer's names and
links say, they mean something inside. Prints `{"size", "digests"}`, the latter of each layer uncompressed. BUDGET:
bytes that all may have. Whiteouts as in the image specification (OCI image-spec, layer.md).
"""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import sys
import tarfile
from typing import Any, BinaryIO, cast

from workers.images.apart import Member, Unusable, tell

MOST_BYTES = 8 << 30
"""Of all layers of all images of an archive, uncompressed."""
MOST_MEMBERS = 1_000_000
"""Of all layers of an image."""
_WHITEOUT, _META = ".wh.", ".wh..wh."
_OPAQUE = ".wh..wh..opq"
_BLOCK = 1 << 20
_TOO_LARGE = Unusable(f"The archive unpacks to more than {MOST_BYTES >> 30} GiB.")


class Window(io.RawIOBase):
    """Some bytes of a file, as if they were all."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self._descriptor, self._at, self._end = descriptor, offset, offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Counted:
    """A stream that is read once: its digest and its length."""

    def __init__(self, source: BinaryIO, budget: int) -> None:
        self._source, self._budget = source, budget
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(_BLOCK if size < 0 else size)
        self._budget -= len(data)
        if self._budget < 0:
            raise _TOO_LARGE
        self._digest.update(data)
        return data

    def finish(self) -> str:
        while self.read(_BLOCK):
            pass
        return f"sha256:{self._digest.hexdigest()}"


def open_layer(window: Window) -> BinaryIO:
    """The tar inside, whatever it is compressed with."""
    reader = io.BufferedReader(window, _BLOCK)
    magic = reader.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=reader))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(reader))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.LZMAFile(reader))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        raise Unusable("The archive is compressed with zstd; use gzip or none.")
    return reader


class Layer:
    """Unpacks one layer over what is there; `members` and `size` of those below count with it."""

    def __init__(self, members: int, size: int, budget: int) -> None:
        self.members, self.size, self._budget = members, size, budget
        self._own: set[str] = set()

    def apply(self, archive: tarfile.TarFile) -> None:
        # The chroot is the filter: names are taken as they are.
        archive.extraction_filter = lambda member, _: member
        for member in archive:
            # Else they are all kept.
            archive.members.clear()  # type: ignore[attr-defined]
            self.members += 1
            self.size += member.size
            if self.members > MOST_MEMBERS:
                raise Unusable(f"The archive holds more than {MOST_MEMBERS} files.")
            if self.size > self._budget:
                raise _TOO_LARGE
            path = os.path.normpath("/" + member.name)
            folder, name = os.path.split(path)
            if name.startswith(_WHITEOUT):
                self._white_out(folder, name)
            elif not (member.ischr() or member.isblk()):
                # Devices of the image would be those of the host; a container's own /dev has what it may use.
                self._place(archive, member, path)

    def _white_out(self, folder: str, name: str) -> None:
        if name == _OPAQUE:
            self._empty(folder)
        elif not name.startswith(_META):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden not in ("", ".", ".."):
                _remove(os.path.join(folder, hidden))

    def _empty(self, folder: str) -> None:
        """Drop what lower layers put there."""
        if os.path.islink(folder) or not os.path.isdir(folder):
            return
        for entry in os.listdir(folder):
            path = os.path.join(folder, entry)
            if path not in self._own:
                _remove(path)
            elif os.path.isdir(path) and not os.path.islink(path):
                self._empty(path)

    def _place(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        if path == "/":
            os.chmod("/", member.mode & 0o7777)
            return
        if os.path.lexists(path) and not (
            member.isdir() and os.path.isdir(path) and not os.path.islink(path)
        ):
            if member.islnk() and os.path.normpath("/" + member.linkname) == path:
                return
            _remove(path)
        if member.islnk():
            _link(path, os.path.normpath("/" + member.linkname))
        else:
            member.name = path.lstrip("/")
            archive.extract(member, "/", numeric_owner=True)
        while path != "/" and path not in self._own:
            self._own.add(path)
            path = os.path.dirname(path)


def _link(path: str, target: str) -> None:
    """Also to a symbolic link, which may lead nowhere; the library then looks for what it has read before."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.link(target, path, follow_symlinks=False)
    except FileNotFoundError:
        raise Unusable(f"The archive links {path} to {target}, which is not in it.") from None


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        if os.path.lexists(path):
            os.unlink(path)
    else:
        shutil.rmtree(path)


def unpack(root: str, budget: int, windows: list[tuple[int, int]], source: int) -> dict[str, Any]:
    """Shut the process up in `root` and unpack there. Raises Unusable, OSError, tarfile.TarError."""
    os.umask(0o022)
    # From then on the folders of our modules are the archive's.
    sys.meta_path.clear()
    os.chroot(root)
    os.chdir("/")
    members, size, digests = 0, 0, []
    for offset, length in windows:
        stream = _Counted(open_layer(Window(source, offset, length)), budget - size)
        layer = Layer(members, size, budget)
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=1, tarinfo=Member) as archive:  # type: ignore[call-overload]
            layer.apply(archive)
        members, size = layer.members, layer.size
        digests.append(stream.finish())
    return {"size": size, "digests": digests}


def main() -> int:
    root, budget, *given = sys.argv[1:]
    windows = [(int(offset), int(size)) for offset, _, size in (each.partition(":") for each in given)]
    return tell(lambda: unpack(root, int(budget), windows, 0), "tar archive of a root file system")


if __name__ == "__main__":
    sys.exit(main())
