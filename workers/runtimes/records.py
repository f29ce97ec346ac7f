"""What the supervisor remembers of each process, one file each, so that a new supervisor can take over.

`DIR/run/<container>.json` is written before the process can do anything and again when it has ended.
A record of another boot says nothing about this one and is dropped.
"""

import logging
import os
from pathlib import Path

import msgspec

from workers.contract.state import Struct
from workers.planning.objects import Process
from workers.runtimes.protocol import Run, check_name
from workers.runtimes.sweep import read_start

log = logging.getLogger(__name__)


class Record(Struct, frozen=True, kw_only=True):
    container: str
    sandbox: str
    stop_timeout: float
    boot: str
    start: int
    """Clock ticks since boot (proc_pid_stat(5), field 22): with `boot` and the pid, one process for ever."""
    terminal: bool = False
    open_stdin: bool = False
    stop_signal: str = "TERM"
    run: Run
    process: Process | None = None
    """All of it, where it is begun again when it ends."""
    image: str = ""
    """Begun by the OCI runtime, in the root of this image."""


class Records:
    """The records of one state directory, which one supervisor at a time owns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def load(self) -> dict[str, Record]:
        """By container. What is unreadable is dropped and logged: it must not keep the rest from being watched."""
        found: dict[str, Record] = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=Record)
            except (OSError, msgspec.MsgspecError) as error:
                log.error("The record %s cannot be read (%s); it is dropped.", path, error)
                path.unlink(missing_ok=True)
                continue
            if record.boot == self.boot:
                found[record.container] = record
            else:
                path.unlink()
        return found

    def save(self, record: Record) -> None:
        path = self._path(record.container)
        # Not a name that `load` would take, and not fsynced: after a crash of the machine it is void anyway.
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(record))
        os.replace(draft, path)

    def begin(self, process: Process, pid: int, now: float, restarts: int) -> Record:
        """Of a process that has just begun."""
        run = Run(
            incarnation=process.incarnation,
            pid=pid,
            state="running",
            code=None,
            message="",
            started_at=now,
            finished_at=None,
            restarts=restarts,
        )
        return Record(
            container=process.container,
            sandbox=process.sandbox,
            stop_timeout=process.stop_timeout,
            boot=self.boot,
            start=read_start(pid),
            terminal=process.terminal,
            open_stdin=process.open_stdin,
            stop_signal=process.stop_signal,
            process=None if process.restart.name == "no" else process,
            run=run,
            image=process.image,
        )

    def drop(self, container: str) -> None:
        self._path(container).unlink(missing_ok=True)

    def _path(self, container: str) -> Path:
        return self.folder / f"{check_name('container', container)}.json"


def is_alive(record: Record) -> bool:
    try:
        return read_start(record.run.pid) == record.start
    except OSError:
        return False
