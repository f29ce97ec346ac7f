"""The processes of containers: begun once per incarnation, watched, ended, remembered.

A process outlives its supervisor: the next one finds its record and adopts it. (Under systemd that takes
KillMode=process.)
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from workers.contract.reports import Exit, Restart
from workers.planning.objects import Process
from workers.runtimes.charges import Charge
from workers.runtimes.commands import Size
from workers.runtimes.crun import Crun
from workers.runtimes.errors import Refusal
from workers.runtimes.keeping import Keeping
from workers.runtimes.logs import Logs
from workers.runtimes.namespace import identify_sandbox
from workers.runtimes.processes import UNKNOWN, Child, Started, Streams, adopt
from workers.runtimes.protocol import Command, Run, describe
from workers.runtimes.records import Record, Records, is_alive
from workers.runtimes.restarts import lengthen, shall_restart
from workers.runtimes.starts import begin_first, begin_inside, begin_outside
from workers.runtimes.stdio import Stdio
from workers.runtimes.sweep import Footprint, Sweeper

log = logging.getLogger(__name__)
_VANISHED = "The process ended while nobody watched it; its exit code is not known."
_LEFT_OVER = "Some of its processes could not be ended."
_ADOPTED = "Its exit code is not known: it was begun by an earlier supervisor."
_LAST_WORDS = 2.0
"""Seconds for what a process has printed to be read after its end; longer only if somebody else prints on."""


class Supervisor:
    def __init__(self, records: Records, logs: Logs, sweeper: Sweeper, keeping: Keeping, crun: Crun) -> None:
        self._records, self._logs, self._sweeper, self._keeping = records, logs, sweeper, keeping
        self._crun = crun
        self._charges: dict[str, Charge] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        """By container, those that have ended and are begun again."""
        self._known: dict[str, Record] = {}
        self._ended: dict[str, tuple[int, int]] = {}
        """Incarnation and exit code of the last process of each container, also of those that were forgotten."""
        self._begun = asyncio.Condition()
        self._watchers: set[Callable[[Exit | Restart], None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def adopt(self) -> None:
        """Take over what an earlier supervisor left, and note what ended meanwhile."""
        for container, record in self._records.load().items():
            self._known[container] = record
            if record.run.state == "exited":
                continue
            if record.run.state == "restarting":
                self._await_restart(record, lengthen(0.0, 0.0))
                continue
            try:
                child = adopt(record.run.pid, alone=bool(record.image))
            except OSError:
                self._note_vanished(record)
                continue
            # Only now that a descriptor holds the process is its start time a proof.
            if is_alive(record):
                stdio = self._make_stdio(container)
                stdio.adopt(terminal=record.terminal, open_stdin=record.open_stdin)
                self._attend(record, child, stdio, 0.0)
                if record.image:
                    self._crun.go_on(container)
            else:
                child.close()
                self._note_vanished(record)
        # Begun by a supervisor that ended before it could write it down.
        self._crun.sweep(set(self._charges))

    def _note_vanished(self, record: Record) -> None:
        stdio = self._make_stdio(record.container)
        stdio.adopt(terminal=record.terminal, open_stdin=record.open_stdin)
        stdio.discard()
        self._conclude(record, UNKNOWN, _VANISHED, 0.0)

    def start(self, process: Process) -> int:
        """Begin the process, or find that it is there; its pid. Raises Refusal."""
        known = self._known.get(process.container)
        if known and known.run.state != "exited":
            if known.run.incarnation == process.incarnation:
                return known.run.pid
            raise Refusal(
                f"The container's process of incarnation {known.run.incarnation} is still running; stop it first."
            )
        if known and known.run.incarnation == process.incarnation:
            raise Refusal(
                f"The container's process has ended already (exit code {known.run.code}); forget it to run it again."
            )
        if self._closing:
            raise Refusal("The supervisor is shutting down; start the container once it is back.")
        return self._begin(process, restarts=0, delay=0.0)

    def _make_stdio(self, container: str) -> Stdio:
        return Stdio(self._records.folder, self._keeping, container)

    def _begin(self, process: Process, restarts: int, delay: float) -> int:
        """Its pid. Raises Refusal."""
        now = time.time()

        def note(pid: int) -> Record:
            return self._records.begin(process, pid, now, restarts)

        def register(pid: int) -> None:
            self._records.save(note(pid))

        stdio = self._make_stdio(process.container)
        stdio.create(process)
        try:
            started = begin_first(process, stdio.streams, register, self._crun)
        except Refusal:
            stdio.discard()
            self._records.drop(process.container)
            self._known.pop(process.container, None)
            raise
        stdio.hand_over()
        if started.terminal >= 0:
            stdio.take_terminal(started.terminal, open_stdin=process.open_stdin)
        record = note(started.child.pid)
        self._known[process.container] = record
        self._attend(record, started.child, stdio, delay)
        return started.child.pid

    def begin_beside(self, command: Command, streams: Streams, size: Size) -> Started:
        """A further command, where a container's process is. Raises Refusal."""
        if not command.image:
            return begin_outside(command, streams)
        charge = self._charges.get(command.container)
        if charge is None or charge.record.image != command.image:
            # Never anywhere else: the host's own root is not what was meant.
            raise Refusal("The container has no running process; start it first.")
        return begin_inside(command, streams, size, charge.child, self._crun)

    def stop(self, container: str, timeout: float) -> None:
        """Ask the process to end and see to it; nothing if there is none."""
        charge = self._charges.get(container)
        if charge is not None:
            charge.final = True
            self._keep(asyncio.create_task(self._stop(charge, timeout)))
        elif (pending := self._pending.pop(container, None)) is not None:
            pending.cancel()
            record = self._known[container]
            self._note_exit(record, record.run.code or 0, record.run.message)

    async def _stop(self, charge: Charge, timeout: float) -> None:
        charge.ask_to_end(timeout)
        try:
            await asyncio.wait_for(charge.child.wait(), timeout)
        except TimeoutError:
            await self._sweeper.clear(charge.footprint())

    async def end(self, sandbox: str) -> None:
        """SIGKILL everything inside the sandbox. Raises Refusal if something stays."""
        inode = identify_sandbox(sandbox)
        if inode is not None and not await self._sweeper.clear(Footprint(namespaces=frozenset({inode}))):
            raise Refusal(
                f"Some processes in the sandbox {sandbox!r} do not end; see `ip netns pids {sandbox}`."
            )

    def signal(self, container: str, name: str) -> None:
        """Raises Refusal for an unknown signal, or a process that does not run. Who is asked to end is not begun
        again."""
        charge = self._charges.get(container)
        if charge is None:
            raise Refusal("The container has no running process; start it first.")
        charge.send(name)

    def status(self) -> dict[str, Run]:
        return {container: record.run for container, record in self._known.items()}

    def forget(self, container: str, remains: bool) -> None:
        """Drop the record of an ended process, and what remains of it on disk. Raises Refusal while it runs."""
        if container in self._charges or container in self._pending:
            raise Refusal("The container's process is still running; stop it first.")
        self._known.pop(container, None)
        self._records.drop(container)
        if remains:
            self._logs.drop(container)
            self._crun.layers.drop(container)
            self._ended.pop(container, None)

    def keep(self, containers: Iterable[str]) -> None:
        """Drop what remains on disk of all others that do not run: nobody was here to be told of their removal."""
        kept = {*containers, *self._known}
        self._logs.sweep(kept)
        self._crun.layers.sweep(kept)

    def watch(self, tell: Callable[[Exit | Restart], None]) -> Callable[[], None]:
        """Have each exit and restart told, first those that nobody has forgotten; returns how to leave off."""
        for record in self._known.values():
            if news := describe(record.container, record.run):
                tell(news)
        self._watchers.add(tell)
        return lambda: self._watchers.discard(tell)

    async def wait(self, container: str) -> int | None:
        """The exit code of the container's process once it has ended; None: nothing is known of it."""
        charge = self._charges.get(container)
        if charge is not None and charge.attended is not None:
            await asyncio.wait({charge.attended})
        _, code = self._ended.get(container, (0, None))
        return code

    async def begun(self, container: str, incarnation: int) -> None:
        """Returns when the container's process of this or a later incarnation runs, or has run."""
        async with self._begun:
            await self._begun.wait_for(lambda: self._has_begun(container, incarnation))

    def _has_begun(self, container: str, incarnation: int) -> bool:
        charge = self._charges.get(container)
        latest = charge.record.run.incarnation if charge else self._ended.get(container, (-1, 0))[0]
        return latest >= incarnation

    def stdio(self, container: str) -> Stdio | None:
        """Of its process, if that runs."""
        charge = self._charges.get(container)
        return charge.stdio if charge else None

    def marks(self, container: str) -> list[Footprint]:
        """By what its process and what that began are known; nothing if it does not run."""
        charge = self._charges.get(container)
        return [charge.child.marks] if charge else []

    def resize(self, container: str, size: Size) -> None:
        stdio = self.stdio(container)
        if stdio is not None:
            stdio.resize(size)

    def listening(self, container: str, listener: Callable[[], None]) -> AbstractContextManager[None]:
        """Have it called whenever the process has printed something, as long as it runs."""
        charge = self._charges.get(container)
        return charge.writer.listening(listener) if charge else contextlib.nullcontext()

    async def shutdown(self, timeout: float | None) -> None:
        """End all processes at once, each within its own stop timeout or this one, and forget them all."""
        self._closing = True
        for container in list(self._pending):
            self.stop(container, 0.0)
        charges = list(self._charges.values())
        for charge in charges:
            limit = charge.record.stop_timeout if timeout is None else timeout
            self.stop(charge.record.container, limit)
        tasks = [charge.attended for charge in charges if charge.attended]
        if tasks:
            await asyncio.wait(tasks)
        for container in list(self._known):
            self.forget(container, remains=False)
        self._keeping.close()

    def _attend(self, record: Record, child: Child, stdio: Stdio, delay: float) -> None:
        charge = Charge(record, child, stdio, self._logs.write(record.container), delay)
        self._charges[record.container] = charge
        charge.attended = asyncio.create_task(self._see_out(charge))
        self._keep(charge.attended)
        self._keep(asyncio.create_task(self._tell_begun()))

    async def _tell_begun(self) -> None:
        async with self._begun:
            self._begun.notify_all()

    async def _see_out(self, charge: Charge) -> None:
        """Wait for the process, then end what it left behind: its exit is told when all of it is gone."""
        code = await charge.child.wait()
        message = "" if charge.child.known else _ADOPTED
        if not await self._sweeper.clear(charge.footprint()):
            message = _LEFT_OVER
        await asyncio.wait({charge.recording}, timeout=_LAST_WORDS)
        charge.recording.cancel()
        await asyncio.wait({charge.recording})
        await charge.stdio.close()
        charge.writer.close()
        charge.child.close()
        del self._charges[charge.record.container]
        if charge.final:
            self._note_exit(charge.record, code, message)
        else:
            self._conclude(charge.record, code, message, charge.delay)

    def _conclude(self, record: Record, code: int, message: str, delay: float) -> None:
        """It has ended by itself, and is begun again if that is asked for; `delay`: as `Charge` has it."""
        process, run = record.process, record.run
        if self._closing or process is None or not shall_restart(process.restart, code, run.restarts):
            self._note_exit(record, code, message)
            return
        ended = self._note_end(record, "restarting", code, message, run.restarts + 1)
        self._await_restart(ended, lengthen(delay, time.time() - run.started_at))

    def _await_restart(self, record: Record, delay: float) -> None:
        self._known[record.container] = record
        self._pending[record.container] = asyncio.create_task(self._restart(record, delay))

    async def _restart(self, record: Record, delay: float) -> None:
        await asyncio.sleep(delay)
        del self._pending[record.container]
        assert record.process is not None
        try:
            self._begin(record.process, record.run.restarts, delay)
        except (Refusal, OSError) as error:
            log.warning("%s is not begun again: %s", record.container, error)
            self._note_exit(record, getattr(error, "code", UNKNOWN), str(error))
            return
        self._tell(describe(record.container, self._known[record.container].run, record.run))

    def _note_exit(self, record: Record, code: int, message: str) -> None:
        self._note_end(record, "exited", code, message, record.run.restarts)

    def _note_end(
        self, record: Record, state: Literal["restarting", "exited"], code: int, message: str, restarts: int
    ) -> Record:
        run = msgspec.structs.replace(
            record.run, state=state, code=code, message=message, finished_at=time.time(), restarts=restarts
        )
        ended = msgspec.structs.replace(record, run=run)
        self._known[record.container] = ended
        if record.image:
            self._crun.clear(record.container)
        self._ended[record.container] = run.incarnation, code
        try:
            self._records.save(ended)
        except OSError as error:
            log.error("The exit of %s cannot be recorded: %s", record.container, error)
        self._tell(describe(record.container, run))
        return ended

    def _tell(self, news: Exit | Restart | None) -> None:
        if news is None:
            return
        for tell in list(self._watchers):
            tell(news)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
