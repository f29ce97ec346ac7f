"""One child process: started, watched, restarted when it dies, stopped with everything it started."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOG_LIMIT = 5 * 1024 * 1024
PR_SET_PDEATHSIG = 1
FIRST_DELAY, LAST_DELAY = 0.5, 10.0
"""Seconds before the first restart of a child that died, and the most between later ones."""
_libc = ctypes.CDLL(None)


@dataclass
class Child:
    """What to run; `ready` returns when it can be used, and is asked within `patience` seconds."""

    name: str
    command: list[str]
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_within: float = 10.0
    patience: float = 60.0


class NotReady(Exception):
    """One sentence: which child did not come up, and where its log is."""


def _die_with_the_launcher() -> None:
    # Also when the launcher is killed -9 nothing of it stays behind.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Keeper:
    """Keeps one child running until told to stop."""

    def __init__(self, child: Child, log_dir: Path, say: Callable[[str], None]) -> None:
        self.child = child
        self._log = log_dir / f"{child.name}.log"
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the child and wait until it is ready; from then on it is restarted whenever it ends."""
        began = time.monotonic()
        self._rotate()
        await self._spawn()
        while not await self.child.ready():
            process = self._process
            ended = process is None or process.returncode is not None
            if ended or time.monotonic() - began > self.child.patience:
                await self.stop()
                raise NotReady(f"{self.child.name} did not come up; its log is {self._log}.")
            await asyncio.sleep(0.02)
        self._watch = asyncio.create_task(self._keep())
        self._say(f"{self.child.name:<14} ready after {time.monotonic() - began:.1f} s")

    async def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.child.environment},
                # Ctrl-C is for the launcher, which stops its children in their order.
                start_new_session=True,
                preexec_fn=_die_with_the_launcher,
            )

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            assert self._process is not None
            began = time.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            if time.monotonic() - began > 60:
                delay = FIRST_DELAY
            self._say(f"{self.child.name} ended ({code}); it is started again in {delay:.1f} s, see {self._log}")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)
            if self._stopping:
                return
            await self._spawn()

    async def stop(self) -> None:
        """SIGTERM, and after the child's time SIGKILL to all that is in its session."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), self.child.stop_within)
            except TimeoutError:
                self._say(f"{self.child.name} did not end within {self.child.stop_within:.0f} s and is killed")
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._watch is not None:
            self._watch.cancel()

    def _rotate(self) -> None:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
