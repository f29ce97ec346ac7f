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

from workers.runtimes.errors import NOT_EXECUTABLE, NOT_FOUND, REFUSED, Refusal
from workers.runtimes.namespace import Entrance
from workers.runtimes.orphans import collect
from workers.runtimes.sweep import Footprint

UNKNOWN = 255
"""Exit code of a process whose real one nobody can tell any more."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# linux/pidfd.h: _IOWR(0xFF, 11, struct pidfd_info), the 64 bytes of its first version; since Linux 6.15.
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
_KINDS = ("mnt", "net")
LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""That we were started with, and that children get back."""


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
    """A process, held by a descriptor, so that its number stays its own until `close`."""

    def __init__(
        self,
        pid: int,
        namespaces: Sequence[int] = (),
        *,
        group: int | None,
        marks: Footprint | None = None,
        process: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        """`namespaces`: descriptors of its mount and its network namespace, kept open for their numbers.

        `group`: which process group gets its signals; None: the process alone. `marks`: by what else than its session
        and mount namespace all that it began is known. Raises ProcessLookupError if it is gone.
        """
        self.pid = pid
        self.known = True
        """False: the kernel could not tell the exit code."""
        self._group = group
        self._code: int | None = None
        self._process = process
        self._namespaces = list(namespaces)
        self._pidfd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        self.marks = marks or Footprint(pid, frozenset({self.namespaces[0]}))
        asyncio.get_running_loop().add_reader(self._pidfd, self._notice)
        _watched[pid] = self

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
        """A signal to it, and to what it shares a process group with unless it is to be signalled alone."""
        if self._ended.is_set():
            # The number may be another's by now.
            return
        with contextlib.suppress(ProcessLookupError):
            if self._group is None:
                signal.pidfd_send_signal(self._pidfd, number)
            else:
                os.killpg(self._group, number)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        for descriptor in (self._pidfd, *self._namespaces):
            os.close(descriptor)
        self._namespaces = []

    def _notice(self) -> None:
        if self._ended.is_set():
            return
        asyncio.get_running_loop().remove_reader(self._pidfd)
        _watched.pop(self.pid, None)
        # Not our child: one that another supervisor began, and whose parent somebody else is now.
        with contextlib.suppress(ChildProcessError):
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self._code = _count(code)
            if self._process is not None:
                self._process.returncode = code
        self._ended.set()


_watched: dict[int, Child] = {}
"""Those that run, by pid."""


def collect_orphans() -> None:
    """Collect what has ended and is nobody's: called at each SIGCHLD."""

    def attend(pid: int) -> bool:
        child = _watched.get(pid)
        if child is not None:
            child._notice()
        return child is not None

    collect(attend)


@dataclass(frozen=True)
class Started:
    child: Child
    terminal: int = -1
    """The master of the terminal that was made for it inside, where that is how it gets one."""


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


def build_environment(hostname: str, env: dict[str, str]) -> dict[str, str]:
    defaults = {"PATH": PATH, "HOSTNAME": hostname or os.uname().nodename, "HOME": "/root", "TERM": "xterm"}
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
        if register is not None:
            register(os.getpid())
        entrance.enter()
        kept = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in _KINDS]
        socket.send_fds(theirs, [b"+"], kept)

    with ours, theirs, contextlib.closing(entrance):
        process = launch(command, env, streams, prepare)
        _, namespaces, _, _ = socket.recv_fds(ours, 1, len(_KINDS), socket.MSG_CMSG_CLOEXEC)
    try:
        return Child(process.pid, namespaces, group=process.pid, process=process)
    except OSError as error:
        process.kill()
        process.wait()
        raise Refusal(f"The process cannot be watched: {error.strerror}.") from error


def adopt(pid: int, *, alone: bool) -> Child:
    """Watch a process that something else began; `alone`: its signals are its own. Raises OSError if it is gone."""
    kept: list[int] = []
    try:
        kept.extend(os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _KINDS)
        return Child(pid, kept, group=None if alone else pid)
    except OSError:
        for descriptor in kept:
            os.close(descriptor)
        raise


def adopt_guest(pid: int) -> Child:
    """Watch a process that shares all namespaces with others: known by its session. Raises OSError if it is gone."""
    return Child(pid, group=os.getpgid(pid), marks=Footprint(os.getsid(pid)))


def launch(
    command: Sequence[str], env: dict[str, str], streams: Streams, prepare: Callable[[], None]
) -> "subprocess.Popen[bytes]":
    """Run a command as leader of its own session, after `prepare` in its process. Raises Refusal."""
    ours, theirs = socket.socketpair()

    def begin() -> None:
        # Runs in the forked child.
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, LIMITS)
            _reset_signals()
            if streams.terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            prepare()
        except Exception as error:
            # subprocess tells its parent no more than that something went wrong.
            code = error.code if isinstance(error, Refusal) else 0
            theirs.send(f"{code} {error}".encode())
            raise

    with ours, theirs:
        try:
            return _open_process(command, env, streams, begin)
        except subprocess.SubprocessError as error:
            code, _, reason = ours.recv(4096, socket.MSG_DONTWAIT).decode().partition(" ")
            if int(code):
                raise Refusal(reason, int(code)) from error
            raise Refusal(
                f"The sandbox could not be entered: {reason}; netadmin's supervisor must run as root.",
                REFUSED,
            ) from error


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
        # In the kernel's words: the docker client tells its exit status by them.
        sentence = f"The command {command[0]!r} was not found: no such file or directory."
        raise Refusal(sentence, NOT_FOUND) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        sentence = f"The command {command[0]!r} cannot be executed: {reason}."
        raise Refusal(sentence, NOT_EXECUTABLE) from error
    except ValueError as error:
        raise Refusal(f"The command {command[0]!r} cannot be executed: {error}.") from error
