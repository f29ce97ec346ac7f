"""Ending what a container or sandbox has left: every process of a session or in a namespace.

A process leaves its session with setsid(2), but neither its mount nor its network namespace without privileges
and intent; without a PID namespace these are what tells whose it is.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PAUSE = 0.025
_PATIENCE = 5.0
"""Seconds after which a process in uninterruptible sleep is given up."""

Inode = tuple[int, int]
Identity = tuple[int, int]
"""Pid and start time."""


@dataclass(frozen=True)
class Footprint:
    """What to recognise processes by: any of these."""

    session: int | None = None
    namespaces: frozenset[Inode] = frozenset()


@dataclass
class _Order:
    footprint: Footprint
    deadline: float
    done: "asyncio.Future[bool]"


@dataclass(frozen=True)
class Seen:
    pid: int
    started: int
    session: int
    namespaces: frozenset[Inode]
    guest: bool
    """It shares our mount namespace: a process of the host that only visits, or was started by nsenter(1)."""


def read_start(pid: int) -> int:
    """Field 22 of /proc/PID/stat: clock ticks since boot. Raises OSError if there is no such process."""
    return _read_stat(pid)[2]


def _read_stat(pid: int) -> tuple[str, int, int]:
    """State, session and start time (proc_pid_stat(5))."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The second field is the program's name in brackets, which may hold anything.
        fields = file.read().rpartition(b") ")[2].split()
    return fields[0].decode(), int(fields[3]), int(fields[19])


def _inode(path: str) -> Inode:
    found = os.stat(path)
    return found.st_dev, found.st_ino


class Sweeper:
    """Answers many orders with one look at /proc: a look costs tens of milliseconds on a host with 1000 processes."""

    def __init__(self) -> None:
        self._own = frozenset({_inode("/proc/self/ns/mnt"), _inode("/proc/self/ns/net")})
        self._mount = _inode("/proc/self/ns/mnt")
        self._orders: list[_Order] = []
        self._task: asyncio.Task[None] | None = None

    async def clear(self, footprint: Footprint) -> bool:
        """SIGKILL all that match until none is left; False: some could not be ended."""
        # The host's own namespaces are never a mark: everything is in them.
        safe = Footprint(footprint.session, footprint.namespaces - self._own)
        order = _Order(safe, time.monotonic() + _PATIENCE, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await asyncio.shield(order.done)

    async def _work(self) -> None:
        seen: set[Identity] = set()
        await asyncio.sleep(0)
        while self._orders:
            seen = self._look(seen)
            if self._orders:
                await asyncio.sleep(_PAUSE)

    def _look(self, seen: set[Identity]) -> set[Identity]:
        """One round; returns the guests it met.

        A process of ours (worker, name service) enters a sandbox for an instant to configure it: guests are ended
        only when they are met in two rounds.
        """
        processes = list(_processes(self._mount))
        guests: set[Identity] = set()
        busy: list[_Order] = []
        for order in self._orders:
            matching = [found for found in processes if _matches(order.footprint, found)]
            for found in matching:
                identity = (found.pid, found.started)
                if found.guest and found.session != order.footprint.session:
                    guests.add(identity)
                    if identity not in seen:
                        continue
                with contextlib.suppress(OSError):
                    os.kill(found.pid, signal.SIGKILL)
            if not matching:
                order.done.set_result(True)
            elif time.monotonic() > order.deadline:
                order.done.set_result(False)
            else:
                busy.append(order)
        self._orders = busy
        return guests


def list_processes() -> list[Seen]:
    """All of the host but this one, the oldest first."""
    return sorted(_processes(_inode("/proc/self/ns/mnt")), key=lambda seen: (seen.started, seen.pid))


def choose(seen: Iterable[Seen], footprints: Iterable[Footprint]) -> list[int]:
    """Pids of those that match, without guests."""
    own = frozenset({_inode("/proc/self/ns/mnt"), _inode("/proc/self/ns/net")})
    marks = [Footprint(each.session, each.namespaces - own) for each in footprints]
    return [
        each.pid
        for each in seen
        if any(each.session == mark.session if each.guest else _matches(mark, each) for mark in marks)
    ]


def _matches(footprint: Footprint, found: Seen) -> bool:
    return found.session == footprint.session or not footprint.namespaces.isdisjoint(found.namespaces)


def _processes(mount: Inode) -> Iterator[Seen]:
    own = os.getpid()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == own:
            continue
        pid = int(name)
        try:
            state, session, started = _read_stat(pid)
            if state in "ZX":
                continue
            where = _inode(f"/proc/{pid}/ns/mnt"), _inode(f"/proc/{pid}/ns/net")
        except OSError:
            # It ended meanwhile.
            continue
        yield Seen(pid, started, session, frozenset(where), where[0] == mount)
