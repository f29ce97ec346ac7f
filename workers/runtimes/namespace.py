"""How a process enters its sandbox: the built-in kind, a named network namespace.

Does what `ip netns exec` does (iproute2, lib/namespace.c), plus a UTS namespace for the host name. There is no
PID namespace: processes see, and stock tools find, each other by their real ids.
Python gained os.setns and os.unshare in 3.12 only.
"""

import ctypes
import os
from pathlib import Path
from typing import Protocol

from workers.runtimes.errors import Refusal
from workers.runtimes.protocol import check_name

NAMESPACES = Path("/run/netns")
FILES = Path("/etc/netns")
_ETC = Path("/etc")
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWNET = 0x00020000, 0x04000000, 0x40000000
MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SLAVE = 0x4, 0x1000, 0x4000, 1 << 18, 1 << 19
_MNT_DETACH = 2
_HOSTNAME_LIMIT = 64
_libc = ctypes.CDLL(None, use_errno=True)


class Entrance(Protocol):
    """One way into a sandbox, open until closed. Another kind of container is another entrance."""

    def enter(self) -> None:
        """Move the calling process inside; only in a fresh child with one thread. Raises OSError."""

    def close(self) -> None:
        """Let go of what the entrance holds; what has entered stays inside."""


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, type_: str, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError."""
    arguments = (
        source.encode(),
        target.encode(),
        type_.encode(),
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(_libc.mount(*arguments), f"mount {target}")


def leave_mounts() -> None:
    """Give the calling process mounts of its own, of which the host sees nothing, nor it the host's. Raises OSError."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    mount("", "/", "none", _MS_PRIVATE | _MS_REC)


class NamedNamespace:
    """A namespace under /run/netns; without a name the host's own."""

    def __init__(self, sandbox: str, hostname: str) -> None:
        """Raises Refusal when there is no such namespace, or the host name is too long for the kernel."""
        self._sandbox = check_name("sandbox", sandbox) if sandbox else ""
        self._hostname = hostname.encode()
        if len(self._hostname) > _HOSTNAME_LIMIT:
            raise Refusal(
                f"The host name {hostname!r} is longer than the {_HOSTNAME_LIMIT} bytes Linux allows."
            )
        # Opened before the fork: a missing namespace is then a sentence, not a failure half way in.
        self._descriptor = _open_namespace(self._sandbox) if sandbox else -1

    def enter(self) -> None:
        _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS), "unshare")
        # What the host mounts later is seen inside, what is mounted inside is not seen by the host.
        mount("", "/", "none", _MS_SLAVE | _MS_REC)
        if self._hostname:
            _check(_libc.sethostname(self._hostname, len(self._hostname)), "sethostname")
        if self._descriptor < 0:
            return
        _check(_libc.setns(self._descriptor, _CLONE_NEWNET), "setns")
        # The copy of every other namespace's mount would cost memory per pair of containers (1000 containers: 10^6
        # mounts) and keep removed namespaces alive where /run/netns is not shared. EINVAL: nothing is mounted there.
        _libc.umount2(bytes(NAMESPACES), _MNT_DETACH)
        self._mount_sysfs()
        self._bind_files()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _mount_sysfs(self) -> None:
        """/sys/class/net shows the network of the process that mounted it; the old one stays if it is refused."""
        try:
            mount(self._sandbox, "/sys", "sysfs", 0)
        except OSError:
            return

    def _bind_files(self) -> None:
        try:
            entries = sorted(os.scandir(FILES / self._sandbox), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            target = _ETC / entry.name
            if entry.is_file() and target.exists():
                mount(entry.path, str(target), "none", _MS_BIND)


def _open_namespace(name: str) -> int:
    try:
        return os.open(NAMESPACES / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(
            f"There is no network namespace {name!r} ({error.strerror}); is its container running?"
        ) from error


def identify_sandbox(name: str) -> tuple[int, int] | None:
    """Device and inode by which processes inside are recognised; None: there is no such namespace."""
    try:
        found = os.stat(NAMESPACES / check_name("sandbox", name))
    except OSError:
        return None
    return found.st_dev, found.st_ino
