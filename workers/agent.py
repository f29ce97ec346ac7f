"""The thread that owns a host: takes messages, exits and notices from its inbox one by one, and reports.

All work on kernel, names and memory happens here, so that nothing needs a lock; Celery's task and the watching
threads only put something into the inbox.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from workers.actuator import Actuator
from workers.contract.reports import Exit, Facts, Report
from workers.contract.state import Delta, Row
from workers.dns.client import NameService
from workers.intake import Intake
from workers.kernel.edge import Kernel
from workers.kernel.errors import KernelError
from workers.memory import Memory
from workers.planning.render import Surroundings
from workers.reconcile import Reconciler
from workers.runtimes.client import Supervisor, SupervisorError
from workers.surroundings import read_facts, read_resolv_conf, watch_routes

log = logging.getLogger(__name__)
LOOK_EVERY = 60.0
BEAT_EVERY = 10.0
RETRY_EVERY = 1.0
Item = Delta | Exit | Literal["facts", "look"]


class Agent(threading.Thread):
    """`send` publishes a report and says whether it could."""

    def __init__(
        self, *, host: str, state_dir: Path, dns: Path, supervisor: Path, send: Callable[[Report], bool]
    ) -> None:
        super().__init__(name="agent", daemon=True)
        self._host, self._state_dir, self._send = host, state_dir, send
        self._dns, self._supervisor = dns, supervisor
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._unsent: list[Report] = []
        self._facts: Facts | None = None
        self._ended: dict[str, int] = {}

    def put(self, item: Item) -> None:
        self._inbox.put(item)

    def run(self) -> None:
        """Restore the host from memory, then serve the inbox for ever."""
        self._memory = Memory(self._state_dir / "memory.sqlite3")
        rows = self._memory.rows()
        self._ended = self._memory.ended()
        epoch, revision = self._memory.progress()
        self._intake = Intake(epoch, revision, {(row.kind, row.id): row.revision for row in rows})
        self._kernel = Kernel()
        self._actuator = Actuator(
            self._kernel, NameService(str(self._dns)), Supervisor(str(self._supervisor))
        )
        self._reconciler = Reconciler(self._actuator, self._read_surroundings)
        self._reconciler.remember(rows)
        threading.Thread(target=self._watch_exits, name="exits", daemon=True).start()
        threading.Thread(target=self._watch_routes, name="routes", daemon=True).start()
        next_look = next_beat = 0.0
        while True:
            now = time.monotonic()
            if now >= next_look:
                next_look = now + LOOK_EVERY if self._look() else now + RETRY_EVERY
            if now >= next_beat:
                self._report_facts()
                next_beat = now + BEAT_EVERY
            wait = min(next_look, next_beat) - time.monotonic()
            self._serve(max(0.0, min(wait, RETRY_EVERY if self._unsent else wait)))

    def _serve(self, wait: float) -> None:
        """Work off what is in the inbox; changes that came together are made together."""
        items: list[Item] = []
        try:
            items.append(self._inbox.get(timeout=wait))
            while True:
                items.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        began = time.monotonic()
        rows: list[Row] = []
        for item in items:
            if isinstance(item, Delta):
                rows += self._accept(item)
        if any(isinstance(item, Delta) for item in items):
            self._reconciler.take(_newest(rows))
        exits = [exit_ for item in items if isinstance(item, Exit) and (exit_ := self._note_exit(item))]
        if items and (rows or exits or any(isinstance(item, Delta) for item in items)):
            self._report_outcomes(exits, began)
        if "look" in items:
            self._look()
        if "facts" in items:
            self._report_facts(only_news=True)
        self._flush()

    def _accept(self, delta: Delta) -> list[Row]:
        if delta.host != self._host:
            return []
        rows = self._intake.accept(delta)
        if rows is None:
            self._post(resync=True)
            return []
        self._memory.keep(rows, self._intake.epoch, self._intake.revision)
        return rows

    def _note_exit(self, exit_: Exit) -> Exit | None:
        """Take a container down whose process has ended; None when that was known."""
        if self._ended.get(exit_.container, 0) >= exit_.incarnation:
            self._actuator.forget_process(exit_.container)
            return None
        self._ended[exit_.container] = exit_.incarnation
        self._memory.keep_ended(exit_.container, exit_.incarnation)
        self._reconciler.take_exit(exit_)
        return exit_

    def _look(self) -> bool:
        """Observe everything and mend it; False when that has to be tried again soon."""
        began = time.monotonic()
        try:
            exits = [exit_ for found in self._actuator.exits() if (exit_ := self._note_exit(found))]
            drift = self._reconciler.look()
        except (KernelError, SupervisorError) as error:
            log.warning("the host could not be looked at: %s", error)
            return False
        if drift:
            log.warning("mended what had changed behind our back: %s", ", ".join(drift))
        self._report_outcomes(exits, began)
        return True

    def _report_outcomes(self, exits: list[Exit], began: float) -> None:
        outcomes = self._reconciler.outcomes()
        for failed in self._reconciler.failed_starts():
            if self._note_exit(failed):
                exits.append(failed)
        took = (time.monotonic() - began) * 1000
        self._post(outcomes=tuple(outcomes), exits=tuple(exits), took_ms=took)

    def _report_facts(self, *, only_news: bool = False) -> None:
        try:
            facts = read_facts(self._kernel)
        except KernelError as error:
            log.warning("the host's routes could not be read: %s", error)
            return
        if only_news and facts == self._facts:
            return
        self._facts = facts
        self._post(facts=facts, resync=not self._intake.epoch)

    def _post(self, **content: object) -> None:
        report = Report(host=self._host, epoch=self._intake.epoch, acked=self._intake.revision, **content)  # type: ignore[arg-type]
        self._unsent.append(report)
        self._flush()

    def _flush(self) -> None:
        while self._unsent and self._send(self._unsent[0]):
            del self._unsent[0]

    def _read_surroundings(self) -> Surroundings:
        return Surroundings(resolv_conf=read_resolv_conf(), ended=self._ended)

    def _watch_exits(self) -> None:
        supervisor = Supervisor(str(self._supervisor))
        while True:
            try:
                for exit_ in supervisor.watch():
                    self.put(exit_)
            except SupervisorError as error:
                log.info("the supervisor is away: %s", error)
            time.sleep(0.2)

    def _watch_routes(self) -> None:
        for _ in watch_routes(lambda: self.put("facts")):
            pass


def _newest(rows: list[Row]) -> list[Row]:
    """Of several rows of one object that came together, the newest."""
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = newest.get((row.kind, row.id))
        if known is None or row.revision >= known.revision:
            newest[row.kind, row.id] = row
    return list(newest.values())
