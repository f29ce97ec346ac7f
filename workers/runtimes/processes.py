"""Children: how they are made and how their end is noticed.

Processes are watched through pidfds (pidfd_open(2)), children and adopted ones alike.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import socket
import subprocess
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workers.runtimes.errors import NOT_EXECUTABLE, NOT_FOUND, Refusal
from workers.runtimes.namespace import Entrance

UNKNOWN = 255
"""Exit code of a process whose real one nobody can tell any more."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# linux/pidfd.h: _IOWR(0xFF, 11, struct pidfd_info), the 64 bytes of its first version; since Linux 6.15.
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
_KINDS = ("mnt", "net")
_LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


class _PidfdInfo(ctypes.Structure):
    _fields_ = [
        ("mask", ctypes.c_uint64),
        ("cgroup", ctypes.c_uint64),
        ("ids", ctypes.c_uint32 * 11),
        ("exit_code", ctypes.c_int32),
    ]


@dataclass(frozen=True)
class Streams:
    """Descriptors for the child; `terminal`: they are one terminal, which shall control it."""

    stdin: int
    stdout: int
    stderr: int
    terminal: bool = False


class Child:
    """A process and the namespaces it lives in, kept open: their numbers stay its own until `close`."""

    def __init__(
        self, pid: int, namespaces: Sequence[int], process: "subprocess.Popen[bytes] | None"
    ) -> None:
        """`process`: None for one that another supervisor began. Raises ProcessLookupError if it is gone."""
        self.pid = pid
        self.known = True
        """False: the kernel could not tell the exit code."""
        self._code: int | None = None
        self._process = process
        self._namespaces = list(namespaces)
        self._pidfd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._notice)

    async def wait(self) -> int:
        """Its exit code as a shell counts, once it has ended."""
        await self._ended.wait()
        if self._code is None:
            code = await _read_exit_code(self._pidfd)
            self.known = code is not None
            self._code = UNKNOWN if code is None else code
        return self._code

    @property
    def namespaces(self) -> tuple[tuple[int, int], ...]:
        """Device and inode of its mount and its network namespace."""
        found = [os.fstat(descriptor) for descriptor in self._namespaces]
        return tuple((entry.st_dev, entry.st_ino) for entry in found)

    def send(self, number: int) -> None:
        """A signal to its process group, which it leads."""
        if self._ended.is_set():
            # The number may be another's by now.
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        for descriptor in (self._pidfd, *self._namespaces):
            os.close(descriptor)
        self._namespaces = []

    def _notice(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        if self._process is not None:
            self._code = _count(self._process.wait())
        self._ended.set()


def _count(code: int) -> int:
    """As a shell counts; subprocess and os have -n for signal n."""
    return 128 - code if code < 0 else code


async def _read_exit_code(pidfd: int) -> int | None:
    """Of a process that is not our child: the kernel tells it once the parent has collected it."""
    for _ in range(20):
        info = _PidfdInfo(mask=_PIDFD_INFO_EXIT)
        try:
            fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
        except OSError:
            # A kernel before 6.15 (ENOTTY, EINVAL), or a process that is gone without a trace (ESRCH).
            return None
        if info.mask & _PIDFD_INFO_EXIT:
            return _count(os.waitstatus_to_exitcode(info.exit_code))
        await asyncio.sleep(0.005)
    return None


def raise_descriptor_limit() -> None:
    """Each process costs three descriptors here; children get back the limit we were started with."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_LIMITS[1], _LIMITS[1]))


def build_environment(hostname: str, env: dict[str, str]) -> dict[str, str]:
    defaults = {"PATH": _PATH, "HOSTNAME": hostname or os.uname().nodename, "HOME": "/root", "TERM": "xterm"}
    return defaults | env


def _reset_signals() -> None:
    """A container's process begins with no signal ignored, whatever the supervisor was started under (nohup)."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)


def spawn(
    command: Sequence[str],
    env: dict[str, str],
    entrance: Entrance,
    streams: Streams,
    register: Callable[[int], None] | None = None,
) -> Child:
    """Start a command as leader of its own session inside `entrance`, which is closed.

    `register` is called in the child, with its pid, before anything can fail or run. Raises Refusal.
    """
    ours, theirs = socket.socketpair()

    def prepare() -> None:
        # Runs in the forked child.
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, _LIMITS)
            _reset_signals()
            if streams.terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if register is not None:
                register(os.getpid())
            entrance.enter()
            kept = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in _KINDS]
            socket.send_fds(theirs, [b"+"], kept)
        except Exception as error:
            # subprocess tells its parent no more than that something went wrong.
            theirs.send(str(error).encode())
            raise

    with ours, theirs, contextlib.closing(entrance):
        try:
            process = _open_process(command, env, streams, prepare)
        except subprocess.SubprocessError as error:
            reason = ours.recv(4096, socket.MSG_DONTWAIT).decode()
            raise Refusal(
                f"The sandbox could not be entered: {reason}; netadmin's supervisor must run as root."
            ) from error
        _, namespaces, _, _ = socket.recv_fds(ours, 1, len(_KINDS), socket.MSG_CMSG_CLOEXEC)
    try:
        return Child(process.pid, namespaces, process)
    except OSError as error:
        process.kill()
        process.wait()
        raise Refusal(f"The process cannot be watched: {error.strerror}.") from error


def adopt(pid: int) -> Child:
    """Watch a process that another supervisor began. Raises OSError if it is gone."""
    kept: list[int] = []
    try:
        kept.extend(os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _KINDS)
        return Child(pid, kept, None)
    except OSError:
        for descriptor in kept:
            os.close(descriptor)
        raise


def _open_process(
    command: Sequence[str], env: dict[str, str], streams: Streams, prepare: Callable[[], None]
) -> "subprocess.Popen[bytes]":
    if not command:
        raise Refusal("No command was given.")
    try:
        return subprocess.Popen(
            list(command),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            env=env,
            cwd="/",
            start_new_session=True,
            close_fds=True,
            # Safe: this process has one thread.
            preexec_fn=prepare,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refusal(f"The command {command[0]!r} was not found.", NOT_FOUND) from error
    except OSError as error:
        raise Refusal(
            f"The command {command[0]!r} cannot be executed: {error.strerror}.", NOT_EXECUTABLE
        ) from error
    except ValueError as error:
        raise Refusal(f"The command {command[0]!r} cannot be executed: {error}.") from error
