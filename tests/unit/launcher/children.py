"""Small real processes for the launcher's tests."""

import os
import sys
from pathlib import Path

from workers.supervision.children import Child

ANSWER = """
import os, pathlib, signal, socket, sys, time
folder, name, *words = sys.argv[1:]
folder = pathlib.Path(folder)
(folder / f"{name}.pid").write_text(str(os.getpid()))
if "fail" in words:
    sys.exit("no such flag: --colour")
if "deaf" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "family" in words:
    if os.fork() == 0:
        (folder / f"{name}.grandchild").write_text(str(os.getpid()))
        time.sleep(600)
if "living" in words or "hanging" in words:
    from workers.life import Life
    from workers.tracing import configure
    configure(name)
    life = Life()
(folder / f"{name}.ready").touch()
print("here I am", flush=True)
while "living" in words:
    life.show()
    time.sleep(0.05)
time.sleep(600)
"""


def make_child(
    folder: Path, name: str, *words: str, stop_within: float = 5.0, silence: float = 60.0
) -> Child:
    """Writes `<name>.pid`, then `<name>.ready`; words: fail (at once), deaf (to SIGTERM), family (forks),
    living (shows signs of life), hanging (shows none)."""
    ready = folder / f"{name}.ready"

    async def is_ready() -> bool:
        return ready.exists()

    command = [sys.executable, "-c", ANSWER, str(folder), name, *words]
    return Child(name, command, is_ready, stop_within=stop_within, patience=20.0, silence=silence)


def read_pid(folder: Path, name: str, kind: str = "pid") -> int:
    """0 while it is being written."""
    return int((folder / f"{name}.{kind}").read_text() or 0)


def is_alive(pid: int) -> bool:
    """A zombie that nobody has waited for yet counts as gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def own_group() -> int:
    return os.getpgid(0)
