"""The door into a sandbox: sockets are opened inside its network namespace by the thread that serves them."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass

from workers.descriptors import has_room

NAMESPACES = "/run/netns"
ADDRESS = ("127.0.0.11", 53)
BACKLOG = 64

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1
_libc = ctypes.CDLL(None, use_errno=True)

Identity = tuple[int, int]
"""Device and inode of a namespace: the same name may stand for another one later."""


class SandboxError(Exception):
    """Nothing can be opened in the sandbox; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The two sockets of a sandbox, non-blocking."""

    udp: socket.socket
    tcp: socket.socket
    identity: Identity

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


def identify(sandbox: str) -> Identity | None:
    """Which namespace the name stands for now; None: no such namespace."""
    try:
        found = os.stat(_path(sandbox))
    except OSError:
        return None
    return found.st_dev, found.st_ino


def last_change() -> int:
    """When a namespace last came or went, in nanoseconds of the file system's clock; 0: there never was one."""
    try:
        return os.stat(NAMESPACES).st_mtime_ns
    except OSError:
        return 0


def open_doors(sandbox: str) -> Doors:
    """Listen on 127.0.0.11:53 inside the sandbox; raise SandboxError."""
    if not has_room():
        raise SandboxError(
            f"The name service has too many open files to answer in sandbox {sandbox} too;"
            " raise its limit (LimitNOFILE)."
        )
    try:
        inside = os.open(_path(sandbox), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SandboxError(
            f"The network namespace {sandbox} cannot be opened under {NAMESPACES} ({error.strerror});"
            " start its container."
        ) from error
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.fstat(inside)
        _enter(inside)
        try:
            return _listen((found.st_dev, found.st_ino))
        finally:
            _return(home)
    except OSError as error:
        raise SandboxError(_explain(sandbox, error)) from error
    finally:
        os.close(inside)
        os.close(home)


def _listen(identity: Identity) -> Doors:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    doors = Doors(udp, tcp, identity)
    try:
        _require_loopback(udp)
        # Connections of our predecessor in TIME_WAIT must not keep us from the port.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for door in (udp, tcp):
            door.bind(ADDRESS)
        tcp.listen(BACKLOG)
    except OSError:
        doors.close()
        raise
    return doors


def _require_loopback(door: socket.socket) -> None:
    """Raise ENETDOWN unless lo is up.

    A namespace in which it never was has no table of local addresses, so the kernel takes 127.0.0.11 for a broadcast
    address when it is bound, and later sends the replies from 127.0.0.1.
    """
    request = struct.pack("16sH14x", b"lo", 0)
    (flags,) = struct.unpack_from("H", fcntl.ioctl(door, _SIOCGIFFLAGS, request), 16)
    if not flags & _IFF_UP:
        raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))


def _path(sandbox: str) -> str:
    if not sandbox or "/" in sandbox or "\0" in sandbox or sandbox in (".", ".."):
        raise SandboxError(f"{sandbox!r} is no name of a network namespace; send one without slashes.")
    return f"{NAMESPACES}/{sandbox}"


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _return(home: int) -> None:
    try:
        _enter(home)
    except OSError as error:
        # Anything opened from here on would be opened in a sandbox instead of the host.
        raise SystemExit(f"The host's network namespace cannot be entered again: {error.strerror}") from error


def _explain(sandbox: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Another program in sandbox {sandbox} holds port 53; stop it or move it to another port."
    if error.errno == errno.ENETDOWN:
        return f"The loopback of sandbox {sandbox} is down; bring it up: ip -n {sandbox} link set lo up."
    if error.errno == errno.EINVAL:
        return f"{NAMESPACES}/{sandbox} is no network namespace; remove it and start the container again."
    return f"127.0.0.11:53 cannot be opened in sandbox {sandbox} ({error.strerror}); start it again."
