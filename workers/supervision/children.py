"""One child process: started, watched, restarted when it dies, stopped with everything it started."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.supervision.logs import explain, find_log, open_log
from workers.supervision.process import Process, describe_end
from workers.supervision.watchdog import LOOK_EVERY, Silence, read_patience

FIRST_DELAY, LAST_DELAY = 0.5, 5.0
"""Seconds before the first restart of a child that died, and the most between later ones: all others wait for it."""
STEADY_AFTER = 10.0
"""Seconds of life after which a child's death is taken for its first."""
ASK_EVERY, REMIND_EVERY = 0.02, 5.0


@dataclass(frozen=True)
class Child:
    """What to run; `ready` says whether it can be used, which it must within `patience` seconds."""

    name: str
    command: list[str]
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_within: float = 10.0
    patience: float = 60.0
    alive: Callable[[], Awaitable[bool]] | None = None
    """Whether it gets on, to be asked of what shows no signs of life by itself, as all ours do."""
    silence: float = field(default_factory=read_patience)
    """Seconds without a sign after which it is taken for hanging, ended and started again."""
    farewell: int = signal.SIGKILL
    """What the kernel sends should the launcher be killed: SIGTERM where something has to be put in order."""


class NotReady(Exception):
    """One sentence: which child did not come up, where its log is and how that ends."""


class Keeper:
    """Keeps one child running until told to stop."""

    def __init__(self, child: Child, log_dir: Path, say: Callable[[str], None]) -> None:
        self.child = child
        self._log_dir, self._say = log_dir, say
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process as it is now; None between two."""
        return self._process.pid if self._process and not self._process.ended.done() else None

    async def start(self) -> None:
        """Start the child and wait until it is ready; from then on it is restarted whenever it ends."""
        began = time.monotonic()
        self._process = self._spawn()
        remind = began + REMIND_EVERY
        while not await self.child.ready():
            now = time.monotonic()
            if self._process.ended.done():
                raise self._give_up(f"ended with {describe_end(self._process.ended.result())}")
            if now - began > self.child.patience:
                raise self._give_up(f"is not ready after {self.child.patience:g} s")
            if now > remind:
                self._say(f"{self.child.name:<14} not ready yet, after {now - began:.0f} s")
                remind = now + REMIND_EVERY
            await asyncio.sleep(ASK_EVERY)
        self._watch = asyncio.create_task(self._keep())
        self._say(f"{self.child.name:<14} ready after {time.monotonic() - began:.1f} s")

    def _give_up(self, why: str) -> NotReady:
        return NotReady(explain(f"{self.child.name} {why}", self._log_dir, self.child.name))

    def _spawn(self) -> Process:
        log = open_log(self._log_dir, self.child.name)
        try:
            return Process(
                self.child.command,
                stdout=log,
                stderr=log,
                farewell=self.child.farewell,
                environment=self.child.environment,
            )
        finally:
            os.close(log)

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        began = time.monotonic()
        while True:
            assert self._process is not None
            code = await self._await_end(self._process)
            if time.monotonic() - began > STEADY_AFTER:
                delay = FIRST_DELAY
            log = find_log(self._log_dir, self.child.name)
            self._say(
                f"{self.child.name} ended with {describe_end(code)}; started again in {delay:g} s, see {log}"
            )
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)
            began = time.monotonic()
            self._process = self._spawn()

    async def _await_end(self, process: Process) -> int:
        """How it ended, which it is made to when it hangs."""
        silence, signs = Silence(process.pid), 0
        while not process.ended.done():
            await asyncio.wait([process.ended], timeout=LOOK_EVERY)
            heard = self.child.alive is not None and await self.child.alive()
            if process.ended.done():
                break
            signs, before = process.signs(), signs
            silent = silence.count(heard or signs != before)
            if silent > self.child.silence:
                log = find_log(self._log_dir, self.child.name)
                self._say(
                    f"{self.child.name} hangs, without a sign for {silent:.0f} s; it is ended, see {log}"
                )
                await process.abort()
        return process.ended.result()

    async def stop(self) -> None:
        """SIGTERM, and after the child's time SIGKILL to all that is in its group."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._process is not None and not await self._process.stop(self.child.stop_within):
            self._say(f"{self.child.name} did not end within {self.child.stop_within:g} s and was killed")

    def kill(self) -> None:
        """Let a `stop` that waits wait no longer."""
        if self._process is not None:
            self._process.kill()
