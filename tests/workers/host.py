"""A host with its real processes (name service, supervisor, agent), and a record of what it was told."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tests.unit.worker.specs import removal, row
from workers.contract.reports import Exit, Outcome, Report
from workers.contract.state import Delta, Row, Spec

T = TypeVar("T")
PATIENCE = 10.0


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


def inside(sandbox: str, *command: str) -> str:
    return run("ip", "netns", "exec", sandbox, *command)


def namespaces() -> list[str]:
    return sorted(os.listdir("/run/netns"))


def answers(sandbox: str, name: str) -> bool:
    """A ping from the sandbox to that name is answered."""
    command = ["ip", "netns", "exec", sandbox, "ping", "-c1", "-W1", name]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def await_true(condition: Callable[[], T | None], patience: float = PATIENCE) -> T:
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)
    return found


def await_trap(sandbox: str) -> None:
    """Its shell has come to `trap … TERM`: till then SIGTERM ends it."""
    bit = 1 << (signal.SIGTERM - 1)

    def trapped() -> bool:
        for process in run("ip", "netns", "pids", sandbox).split():
            with suppress(FileNotFoundError):
                masks = re.findall(r"Sig(?:Ign|Cgt):\s+(\w+)", Path(f"/proc/{process}/status").read_text())
                if any(int(mask, 16) & bit for mask in masks):
                    return True
        return False

    await_true(trapped, patience=20)


class Host:
    """`revision` counts the changes told so far; each is one delta after the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.revision = 0
        self.epoch = "one"
        self.reports: list[Report] = []
        self.services: dict[str, subprocess.Popen[bytes]] = {}
        self.agent: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.start_names()
        self.start_doors()
        self.start_supervisor()
        self.start_agent()
        # A host that knows no epoch takes nothing in before it was told everything.
        self.send(self.delta([], base=0, full=True))
        await_true(lambda: [report for report in self.reports if report.epoch == self.epoch])

    # Processes

    def start_names(self) -> None:
        sockets = ["--socket", str(self.folder / "dns.sock"), "--memory", str(self.folder / "dns.sqlite3")]
        self._start("workers.dns", self.folder / "dns.sock", *sockets)

    def start_doors(self) -> None:
        sockets = [
            "--socket",
            str(self.folder / "ports.sock"),
            "--memory",
            str(self.folder / "ports.sqlite3"),
        ]
        self._start("workers.publishing", self.folder / "ports.sock", *sockets)

    def start_supervisor(self) -> None:
        options = [
            "--socket",
            str(self.folder / "supervisor.sock"),
            "--state-dir",
            str(self.folder / "runtimes"),
        ]
        self._start("workers.runtimes", self.folder / "supervisor.sock", *options, "--host", "here")

    def _start(self, module: str, socket: Path, *options: str) -> None:
        with (self.folder / f"{module}.log").open("ab") as output:
            self.services[module] = subprocess.Popen([sys.executable, "-m", module, *options], stderr=output)
        await_true(socket.exists)

    def stop(self, module: str) -> None:
        service = self.services.pop(module)
        service.terminate()
        assert service.wait(PATIENCE) == 0

    def start_agent(self) -> None:
        with (self.folder / "agent.log").open("ab") as output:
            self.agent = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.process", str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, args=(self.agent,))
        self._reader.start()

    def kill_agent(self) -> None:
        assert self.agent and self._reader
        self.agent.kill()
        self.agent.wait()
        self._reader.join()
        self.agent = None

    def close(self) -> None:
        if self.agent:
            self.kill_agent()
        for module in list(self.services):
            self.stop(module)

    def _read(self, agent: "subprocess.Popen[str]") -> None:
        assert agent.stdout
        with agent.stdout as lines:
            for line in lines:
                self.reports.append(msgspec.json.decode(line, type=Report))

    # What the server would say

    def change(self, *specs: Spec, gone: Iterable[Spec] = ()) -> Delta:
        """The next delta, not sent yet."""
        self.revision += 1
        rows = [removal(spec, self.revision) for spec in gone] + [row(spec, self.revision) for spec in specs]
        return self.delta(rows, base=self.revision - 1)

    def delta(self, rows: Iterable[Row], *, base: int, **fields: Any) -> Delta:
        return Delta(
            host="here", epoch=self.epoch, base=base, revision=self.revision, rows=tuple(rows), **fields
        )

    def send(self, delta: Delta) -> None:
        self._tell(msgspec.json.encode(delta).decode())

    def look(self) -> None:
        """Have the host looked at, and wait until that is done."""
        before = len(self.reports)
        self._tell("look")
        await_true(lambda: [report for report in self.reports[before:] if report.facts is None])

    def _tell(self, line: str) -> None:
        assert self.agent and self.agent.stdin
        self.agent.stdin.write(line + "\n")
        self.agent.stdin.flush()

    def settle(self, *specs: Spec, gone: Iterable[Spec] = ()) -> list[Outcome]:
        """Tell the host of the change and wait for what became of each of its rows, none of which failed."""
        delta = self.change(*specs, gone=gone)
        self.send(delta)
        outcomes = [self.outcome_of(row) for row in delta.rows]
        assert [outcome.message for outcome in outcomes if outcome.state == "failed"] == []
        return outcomes

    # What it was told

    def outcomes(self) -> list[Outcome]:
        return [outcome for report in self.reports for outcome in report.outcomes]

    def outcome_of(self, wanted: Row) -> Outcome:
        """The first that was told of this very revision of the row."""
        return await_true(
            lambda: next(
                (o for o in self.outcomes() if (o.id, o.revision) == (wanted.id, wanted.revision)), None
            )
        )

    def exits(self) -> list[Exit]:
        return [exit_ for report in self.reports for exit_ in report.exits]

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()
