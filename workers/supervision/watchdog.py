"""When a process that is there counts as hanging: it has shown no sign of life for long, although it could have.

Only time counts in which this process ran as well, and from which what a thread of the other waited for a processor is
taken: neither a machine that sleeps or is stopped as a whole, nor one with far too much to do, has anybody ended.
"""

import os
import sys
import time
from pathlib import Path

LOOK_EVERY = 5.0
"""Seconds between two looks."""
LONGEST = 2 * LOOK_EVERY
"""What one look counts at most: after more, whoever looks did not run either."""
PATIENCE, LEAST = 90.0, 20.0
"""Seconds of silence that are borne, unless said otherwise, and at least: a host's worker speaks every ten."""


def read_patience() -> float:
    """As NETADMIN_WATCHDOG has it; infinite where nobody is to be ended."""
    told = os.environ.get("NETADMIN_WATCHDOG") or f"{PATIENCE:g}"
    if told == "0":
        return float("inf")
    if not told.isdigit() or int(told) < LEAST:
        sys.exit(f"Error: NETADMIN_WATCHDOG must be 0 or at least {LEAST:g} seconds, not {told!r}.")
    return float(told)


class Silence:
    """Of one process, from its beginning on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seconds = 0.0
        self._looked, self._waits = time.monotonic(), read_waits(pid)

    def count(self, heard: bool) -> float:
        """Seconds of it until now. `heard`: whether there was a sign since the last look."""
        now, waits = time.monotonic(), read_waits(self._pid)
        waited = max(
            (seconds - self._waits.get(thread, 0.0) for thread, seconds in waits.items()), default=0.0
        )
        passed = min(now - self._looked, LONGEST) - waited
        self._looked, self._waits = now, waits
        self._seconds = 0.0 if heard else self._seconds + max(0.0, passed)
        return self._seconds


def read_waits(pid: int) -> dict[str, float]:
    """Seconds that each thread could have run and waited for a processor
    (https://docs.kernel.org/scheduler/sched-stats.html)."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found[path.parent.name] = int(path.read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            # Gone meanwhile, or a kernel that does not count.
            continue
    return found
