"""A process that runs and is watched."""

import asyncio
import signal

from workers.runtimes.logs import Writer
from workers.runtimes.processes import Child
from workers.runtimes.records import Record
from workers.runtimes.signals import parse_signal
from workers.runtimes.stdio import Stdio
from workers.runtimes.sweep import Footprint


class Charge:
    """A running process and what is asked of it."""

    def __init__(self, record: Record, child: Child, stdio: Stdio, writer: Writer, delay: float) -> None:
        self.record = record
        self.delay = delay
        """Seconds that it was waited for before it was begun again."""
        self.child = child
        self.stdio, self.writer = stdio, writer
        self.recording = asyncio.create_task(stdio.record(writer))
        self.stopping = False
        self.final = False
        """It is not begun again."""
        self.attended: asyncio.Task[None] | None = None

    def send(self, name: str) -> None:
        """A signal. Who is asked to end is not begun again. Raises Refusal for an unknown one."""
        number = parse_signal(name)
        if number in (signal.SIGKILL, parse_signal(self.record.stop_signal)):
            self.final = True
        self.child.send(number)

    def ask_to_end(self, timeout: float) -> None:
        """At once if there is no time for it."""
        self.stopping = True
        if timeout <= 0:
            self.child.send(signal.SIGKILL)
        self.child.send(parse_signal(self.record.stop_signal))
        # A stopped process (SIGSTOP) takes the signal only when it goes on.
        self.child.send(signal.SIGCONT)

    def footprint(self) -> Footprint:
        mount, network = self.child.namespaces
        # Who is in the sandbox by other ways (an exec, `ip netns exec`) stays unless the container is being stopped.
        whole = self.stopping and self.record.sandbox
        return Footprint(self.child.pid, frozenset({mount, network})) if whole else self.child.marks
