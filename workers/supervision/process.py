"""One operating system process of ours: spawned, awaited by descriptor, ended for certain."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workers import life

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
RESOLVER = {"RES_OPTIONS": "timeout:1 attempts:2"}
"""How resolv.conf(5) is read, unless our environment says otherwise: while no name server answers, whoever connects by
a name does nothing else, and shall not for the usual 5 s, twice for each server."""
LAST_WORDS = 5.0
"""Seconds that a process which is aborted has for saying where it was."""
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent(parent: int, farewell: int) -> Callable[[], None]:
    def bind() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, farewell)
        # The parent may have died before the line above: nobody would send the signal any more.
        if os.getppid() != parent:
            os._exit(1)

    return bind


class Process:
    """Started by construction inside a running loop; `ended` resolves to the return code as `subprocess` counts.

    The kernel sends `farewell` should this process die first. It has a session of its own, so that Ctrl-C in a
    terminal reaches the launcher alone.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdout: int,
        stderr: int,
        farewell: int = signal.SIGKILL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._place = life.make_place()
        self._popen = subprocess.Popen(
            list(argv),
            cwd=ROOT,
            env={**RESOLVER, **os.environ, **(environment or {}), life.PLACE: str(self._place)},
            pass_fds=[self._place],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid(), farewell),
        )
        self.pid = self._popen.pid
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = loop.create_future()
        # A descriptor and not asyncio's own watcher, which forks from a process with threads on Python 3.11.
        self._descriptor = os.pidfd_open(self.pid)
        loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        os.close(self._place)
        # What it has left behind in its group would hold its sockets. Before the wait: until then the number is ours.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._popen.wait()
        if not self.ended.done():
            self.ended.set_result(code)

    def signs(self) -> int:
        """How many signs of life it has shown (`workers.life`); to be asked as long as it has not ended."""
        return life.read_count(self._place)

    async def abort(self) -> None:
        """End it because it hangs: SIGABRT, at which ours write down what each thread was at, and SIGKILL after that.

        Returns when it has ended, which in the middle of a system call that hangs is up to the kernel.
        """
        for number in (signal.SIGABRT, signal.SIGCONT):
            if not self.ended.done():
                self._popen.send_signal(number)
        await asyncio.wait([self.ended], timeout=LAST_WORDS)
        self.kill()
        await asyncio.wait([self.ended])

    def kill(self) -> None:
        if not self.ended.done():
            self._popen.kill()

    async def stop(self, patience: float) -> bool:
        """End it: SIGTERM, and SIGKILL after `patience` seconds. Whether it went by itself."""
        if self.ended.done():
            return True
        self._popen.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self.ended), patience)
        except TimeoutError:
            self.kill()
            await asyncio.shield(self.ended)
            return False
        return True


def describe_end(code: int) -> str:
    """`status 3` or `signal SIGKILL`."""
    if code >= 0:
        return f"status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
