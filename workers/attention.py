"""When to look at the host: as soon as the kernel tells of a change that was not ours, but no more than it can bear."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from workers.contract.reports import Drift, Exit, Restart
from workers.kernel.notices import EVERYTHING, Notices
from workers.runtimes.client import Supervisor, SupervisorError

log = logging.getLogger(__name__)
QUIET = 0.02
"""Seconds after a notice in which more of the same change are waited for, and the agent may take it in passing."""
REST = 0.3
"""Seconds from one look that was caused by notices to the next …"""
SHARE = 4.0
"""… and this many times as long as the last look took: whoever goes on changing what is ours gets a fifth of us."""
TURNS = 16
"""Looks in which each sandbox that no notice told of has been looked into once: notices do not tell all there is."""
SLICE = 0.03
"""Seconds that a look goes on at least before it is broken off for a change that has come …"""
AGAIN = 0.1
"""… after which it is begun again …"""
PUT_OFF = 2.0
"""… till it has been put off for so long: then changes wait for it."""
AWAY = 0.1
"""Seconds between two tries to reach a process that has ended."""
EXITS_AWAY = 0.2


class Interrupted(Exception):
    """A look was broken off, having changed nothing; what it has seen counts."""


class Attention:
    """To be used from the agent's thread, which made the notices; `wake` is called by another."""

    def __init__(self, notices: Notices, wake: Callable[[], None]) -> None:
        self._notices, self._wake = notices, wake
        self._taken = threading.Event()
        self._since: float | None = None
        self._changed: set[str] = set()
        """Where something was changed, by whomever, since the last look that could be finished began."""
        self._heard: set[str] = set()
        """Sandboxes whose changes were told before the last finished look looked into them."""
        self._seen: set[str] = set()
        """Sandboxes that looks have looked into which were broken off since."""
        self._turn = 0
        self._looked = time.time()
        self._rested = self._began = 0.0
        self._first_began: float | None = None
        """When the look began for the first time that has been broken off ever since."""
        threading.Thread(target=self._watch, name="notices", daemon=True).start()

    def heed(self, touched: set[str], sandboxes: set[str]) -> None:
        """Take in what the kernel told. `touched`: where we changed something ourselves; `sandboxes`: new ones."""
        self._notices.follow(sandboxes)
        told = self._notices.drain()
        self._changed |= told | touched
        news = told - touched
        if news and self._since is None:
            self._since = time.time()
        self._taken.set()

    @property
    def due(self) -> float:
        """When the next look is (monotonic seconds); infinite while nothing was told."""
        return self._rested if self._since is not None else float("inf")

    def begin(self) -> set[str]:
        """A look begins, which will see whatever was told of until now: sandboxes that it need not look into.

        Nothing has been changed in them since the last look, nor is it their turn.
        """
        self._changed |= self._notices.drain()
        self._began = time.monotonic()
        if self._first_began is None:
            self._first_began = self._began
        if EVERYTHING in self._changed:
            return set()
        due = set(sorted(self._heard)[self._turn :: TURNS])
        return self._heard.difference(self._changed, due - self._seen)

    def give_way(self) -> None:
        """Raise Interrupted if the look that has begun can be put off for a change that has come."""
        now = time.monotonic()
        if now >= self._began + SLICE and now < (self._first_began or now) + PUT_OFF:
            raise Interrupted

    def put_off(self, looked_into: set[str]) -> float:
        """The look was broken off; when to begin it again (monotonic seconds). `looked_into`: what it came to.

        What is changed there from here on, or was behind its back, will be told of.
        """
        self._changed -= looked_into
        self._seen |= looked_into
        self._rested = time.monotonic() + AGAIN
        return self._rested

    def finish(self, texts: Iterable[str], sandboxes: set[str], made: set[str]) -> list[Drift]:
        """A look has been done, and found what `texts` say. When each began.

        `sandboxes`: all of ours; `made`: those that were made meanwhile, perhaps under a name that another had.
        """
        # What comes in from here on may have been changed behind it; until here nothing was taken in.
        self._changed.clear()
        self._seen.clear()
        self._first_began = None
        self._turn = (self._turn + 1) % TURNS
        self._heard = self._notices.followed
        now, told, before = time.time(), self._since, self._looked
        self._since, self._looked = None, now
        ended = time.monotonic()
        self._rested = ended + max(REST, SHARE * (ended - self._began))
        self._notices.keep(sandboxes, made)
        since = before if told is None else told
        return [
            Drift(text=text, since=since, seconds=round(now - since, 3), noticed=told is not None)
            for text in texts
        ]

    def _watch(self) -> None:
        while True:
            self._notices.poll(None)
            time.sleep(QUIET)
            if self._notices.poll(0):
                self._taken.clear()
                self._wake()
                self._taken.wait()


def watch_service(path: Path, name: str, tell: Callable[[Drift], None]) -> None:
    """Tell when the process behind a control socket is back after it had ended; for ever."""
    since: float | None = None
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            if since is not None:
                text = f"The {name} had ended; it was started again."
                now = time.time()
                tell(Drift(text=text, since=since, seconds=round(now - since, 3), noticed=True))
            since = None
            connection.recv(1)
        since = since or time.time()
        time.sleep(AWAY)


def watch_exits(path: Path, tell: Callable[[Exit | Restart], None]) -> None:
    """Tell of each process of a container that ends or is begun again, as its supervisor does; for ever."""
    supervisor = Supervisor(str(path))
    while True:
        try:
            for news in supervisor.watch():
                tell(news)
        except SupervisorError as error:
            log.info("the supervisor is away: %s", error)
        except (OSError, msgspec.MsgspecError):
            log.exception("the supervisor's events cannot be read")
        time.sleep(EXITS_AWAY)
