"""The sandbox's own resolv.conf, hosts and hostname in /etc/netns/<name>, where `ip netns exec` finds them.

Written in place: `ip netns exec` mounts each file over its namesake in /etc, and a file put in its place by
rename would not be seen by what runs already.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import check_namespace
from workers.planning.objects import Files

FOLDER = Path("/etc/netns")
# The folder's mark cannot be a file: `ip netns exec` would try to mount it too.
_MARK = "trusted.netadmin"
_NOBODY = ""
_UNKNOWN = "?"
_NAMES = ("resolv.conf", "hosts", "hostname")
_Times = tuple[tuple[int, int], ...]


class Reader:
    """Reads again only what was written since, as the kernel's times tell."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Times, Files]] = {}

    def read(self, container: str, sandbox: str, unchanged: bool) -> Files | None:
        """As `read`. `unchanged`: nothing has told of a change; within a tick of the clock, the times alone may not."""
        times = _times(f"{FOLDER}/{check_namespace(sandbox)}")
        known = self._known.get(sandbox)
        if unchanged and known and known[0] == times and known[1].container == container:
            return known[1]
        found = read(container, sandbox)
        if found is None:
            self._known.pop(sandbox, None)
        else:
            self._known[sandbox] = times, found
        return found


def _times(folder: str) -> _Times:
    """(inode, time of the last change) of the folder and of each file; zeros: it is not there."""
    times = []
    for path in (folder, *(f"{folder}/{name}" for name in _NAMES)):
        try:
            found = os.stat(path, follow_symlinks=False)
            times.append((found.st_ino, found.st_ctime_ns))
        except OSError:
            times.append((0, 0))
    return tuple(times)


def _folder(sandbox: str) -> Path:
    return FOLDER / check_namespace(sandbox)


def _owner(folder: Path | str) -> str | None:
    """The container id of a folder of ours; None: no folder, _NOBODY: not ours, _UNKNOWN: no marks here."""
    try:
        return os.getxattr(folder, _MARK, follow_symlinks=False).decode()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        if error.errno == errno.ENODATA:
            return _NOBODY
        if error.errno == errno.ENOTSUP:
            # Then only the sandbox of the same name says whose the files are.
            return _UNKNOWN
        raise


def write(wanted: Files) -> None:
    """Write the three files in place; KernelError where somebody else's are."""
    folder = _folder(wanted.sandbox)
    with explained(f"The files in {folder} cannot be written"):
        owner = _owner(folder)
        if owner == _NOBODY and any((folder / name).exists() for name in _NAMES):
            raise KernelError(
                f"The host already has files in {folder} that are not netadmin's: "
                "move them away or rename the container."
            )
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if owner not in (wanted.container, _UNKNOWN):
            _mark(folder, wanted.container)
        for name, text in zip(_NAMES, (wanted.resolv_conf, wanted.hosts, wanted.hostname), strict=True):
            _write_in_place(folder / name, text)


def _mark(folder: Path, container: str) -> None:
    try:
        os.setxattr(folder, _MARK, container.encode(), follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


def _write_in_place(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o644)
        os.ftruncate(descriptor, 0)
        file.write(text.encode())


def read(container: str, sandbox: str) -> Files | None:
    """What is in the sandbox's folder; a missing file reads as empty, None when all are missing."""
    folder = _folder(sandbox)
    texts: dict[str, str] = {}
    for name in _NAMES:
        try:
            with open(f"{folder}/{name}", "rb") as file:
                texts[name] = file.read().decode(errors="replace")
        except FileNotFoundError:
            continue
    if not texts or _owner(folder) == _NOBODY:
        return None
    return Files(
        container=container,
        sandbox=sandbox,
        resolv_conf=texts.get("resolv.conf", ""),
        hosts=texts.get("hosts", ""),
        hostname=texts.get("hostname", ""),
    )


def marked() -> Iterator[tuple[str, str]]:
    """(container id, sandbox name) of each folder of ours, also of a sandbox that a reboot took."""
    for name in sorted(os.listdir(FOLDER)) if FOLDER.is_dir() else ():
        owner = _owner(f"{FOLDER}/{name}")
        if owner not in (None, _NOBODY, _UNKNOWN):
            yield str(owner), name


def rename(container: str, old: str, new: str) -> None:
    """Move the folder with its sandbox; the files stay the ones that running processes have open."""
    source, target = _folder(old), _folder(new)
    if _owner(source) not in (container, _UNKNOWN):
        return
    former = _owner(target)
    if former is not None and former != _NOBODY:
        remove(former, new)
    foreign = f"The host has a folder {target} that is not netadmin's: move it away or rename the container."
    with explained(f"The folder {source} cannot be renamed to {target}", {errno.ENOTEMPTY: foreign}):
        source.rename(target)


def remove(container: str, sandbox: str) -> None:
    """Remove our three files, if they still are this container's, and the folder unless it holds others."""
    folder = _folder(sandbox)
    owner = _owner(folder)
    if owner not in (container, _UNKNOWN):
        return
    with explained(f"The files in {folder} cannot be removed"):
        for name in _NAMES:
            (folder / name).unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            if owner != _UNKNOWN:
                os.removexattr(folder, _MARK)
