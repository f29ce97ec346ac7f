"""Which processes a container has now, shown by ps(1), and what they use: looked up in /proc by whoever asks.

There are no control groups to ask, so what is used is the sum over the processes that are there.
"""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workers.runtimes.client import Supervisor
from workers.runtimes.errors import Refusal
from workers.runtimes.namespace import identify_sandbox
from workers.runtimes.processes import PATH
from workers.runtimes.sweep import Footprint, Seen, choose, list_processes

_FRESH = 0.5
"""Seconds for which one look at /proc serves all who ask what containers use."""
_PATIENCE = 10.0
"""Seconds that ps may take."""
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""Nanoseconds."""
_MISSING = "Processes are shown by ps, which this host has not; install the package procps."
_NO_PID = "With these options ps shows no PID, by which processes are told apart: add it."

_lock = threading.Lock()
_last: tuple[float, list[Seen]] = (0.0, [])


def list_members(supervisor: Supervisor, container: str, sandbox: str, *, fresh: bool) -> list[int]:
    """Pids of what runs in a container, the oldest first. Raises SupervisorError."""
    marked = supervisor.marks(container)
    inode = identify_sandbox(sandbox) if sandbox else None
    namespaces = frozenset({*marked.namespaces, *([inode] if inode else [])})
    marks = [Footprint(session) for session in marked.sessions]
    return choose(_look(fresh), [*marks, Footprint(namespaces=namespaces)])


def _look(fresh: bool) -> list[Seen]:
    global _last
    with _lock:
        at, seen = _last
        if fresh or time.monotonic() - at > _FRESH:
            seen = list_processes()
            _last = time.monotonic(), seen
        return seen


def show(pids: Sequence[int], options: Sequence[str]) -> dict[str, Any]:
    """{titles, processes} as ps has them, each process a list of texts. Raises Refusal."""
    head, *lines = _run_ps(pids, options)
    titles = head.split()
    if "PID" not in titles:
        raise Refusal(_NO_PID, 400)
    place, last = titles.index("PID"), len(titles) - 1
    rows = [line.split(None, last) for line in lines]
    wanted = {str(pid) for pid in pids}
    chosen = [row for row in rows if len(row) > place and row[place] in wanted]
    return {"titles": titles, "processes": [[*row, *[""] * (len(titles) - len(row))] for row in chosen]}


def _run_ps(pids: Sequence[int], options: Sequence[str]) -> list[str]:
    # Never without a pid: ps would show others then. Our own is left out of the answer.
    listed = ",".join(str(pid) for pid in (*pids, os.getpid()))
    try:
        done = _call(["ps", *options, "-q", listed])
        if done.returncode != 0:
            # Trees and the like go with all processes only.
            done = _call(["ps", *options])
    except FileNotFoundError as error:
        raise Refusal(_MISSING) from error
    except subprocess.TimeoutExpired as error:
        raise Refusal(f"ps did not end within {_PATIENCE:g} s.") from error
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise Refusal(f"ps: {(done.stderr.strip().splitlines() or ['it says nothing'])[0]}", 400)
    return lines


def _call(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE,
    )


def measure(pids: Sequence[int]) -> dict[str, int]:
    """What they use, and what the host has.

    user, system   processor time in ns, with that of their own children that ended
    memory, limit  bytes; shared ones count for each process in part (proc_pid_smaps(5), Pss)
    tasks          threads
    host, cpus     all processor time of the host in ns; how many processors
    """
    used = {"user": 0, "system": 0, "memory": 0, "tasks": 0}
    for pid in pids:
        # It may have ended meanwhile.
        with suppress(OSError):
            _add(used, Path("/proc", str(pid)))
    return {**used, **_read_host()}


def _add(used: dict[str, int], folder: Path) -> None:
    # From the third field on (proc_pid_stat(5)).
    fields = (folder / "stat").read_bytes().rpartition(b") ")[2].split()
    utime, stime, cutime, cstime = (int(field) * _TICK for field in fields[11:15])
    used["user"] += utime + cutime
    used["system"] += stime + cstime
    used["tasks"] += int(fields[17])
    for line in (folder / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss":
            used["memory"] += int(rest.split()[0]) * 1024


def _read_host() -> dict[str, int]:
    lines = Path("/proc/stat").read_text().splitlines()
    # Guests' time is in the first two already (proc_stat(5)).
    ticks = sum(int(word) for word in lines[0].split()[1:9])
    memory = Path("/proc/meminfo").read_text().partition("MemTotal:")[2].split()[0]
    cpus = sum(line.startswith("cpu") for line in lines) - 1
    return {"host": ticks * _TICK, "cpus": cpus, "limit": int(memory) * 1024}
