"""The thread that owns a host: takes messages, exits and notices from its inbox one by one, and reports.

All work on kernel, names and memory happens here, so that nothing needs a lock; Celery's task and the watching
threads only put something into the inbox.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from workers.actuator import Actuator
from workers.attention import Attention, Interrupted, watch_exits, watch_service
from workers.awaited import Awaited
from workers.contract.reports import DRIFT, Drift, Exit, Facts, Look, Report, Restart
from workers.contract.state import Delta, Row
from workers.counting import Ledger
from workers.dns.client import NameService
from workers.endings import find_asked, find_untaken
from workers.intake import Feeds, newest
from workers.kernel.edge import Kernel
from workers.kernel.errors import KernelError
from workers.memory import Memory
from workers.merging import merge
from workers.planning.render import Surroundings
from workers.publishing.client import PortService
from workers.reconcile import Reconciler
from workers.runtimes.client import Supervisor, SupervisorError
from workers.surroundings import read_facts, read_resolv_conf, watch_routes
from workers.tracing import current, follow

log = logging.getLogger(__name__)
LOOK_EVERY = 60.0
BEAT_EVERY = 10.0
RETRY_EVERY = 1.0
"""Seconds till what failed is tried again; twice as long each time, up to LOOK_EVERY."""
ASK_EVERY = 1.0
"""Seconds after which what a feed misses is asked for again."""
PROBLEMS = 20
"""Most problems that one report tells."""
Item = Delta | Exit | Restart | Drift | Literal["facts", "look", "notices"]


class Agent(threading.Thread):
    """`send` publishes a report, also to those who wait for it under a name, and says whether it could; `live` is
    called as often as the work has got on."""

    def __init__(
        self,
        *,
        host: str,
        state_dir: Path,
        dns: Path,
        doors: Path,
        supervisor: Path,
        send: Callable[[Report, Collection[str]], bool],
        live: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="agent", daemon=True)
        self._host, self._state_dir, self._send, self._live = host, state_dir, send, live
        self._dns, self._doors, self._supervisor = dns, doors, supervisor
        self._inbox: queue.SimpleQueue[tuple[float, Item]] = queue.SimpleQueue()
        self._pressing = threading.Event()  # Something came that does not wait for a look.
        self._ledger = Ledger(str(dns))
        self._unsent: Report | None = None
        self._unsent_to: set[str] = set()
        self._awaited = Awaited()
        self._facts: Facts | None = None
        self._ended: dict[str, int] = {}
        self._exits: list[Exit] = []
        self._ends: dict[str, Exit] = {}
        self._drift: list[Drift] = []
        self._restarts: list[Drift] = []
        self._next_ask = 0.0
        self._ready = False
        self._next_look = self._next_beat = 0.0
        self._patience = RETRY_EVERY

    def put(self, item: Item) -> None:
        self._inbox.put((time.monotonic(), item))
        if isinstance(item, Delta | Exit):
            self._pressing.set()

    def run(self) -> None:
        """Restore the host from memory, then serve the inbox for ever."""
        try:
            self._begin()
            while True:
                try:
                    self._turn()
                except Exception:
                    # What one message or object breaks must not stop the host; a full look sets right what it left.
                    log.exception("something went wrong; the host is looked at again")
                    self._next_look = time.monotonic() + RETRY_EVERY
        except BaseException:
            # Nobody else serves the host, and a thread ends in silence: the process ends, and is started anew.
            log.critical("the agent cannot go on", exc_info=True)
            os.kill(os.getpid(), signal.SIGTERM)

    def _begin(self) -> None:
        self._memory = Memory(self._state_dir / "memory.sqlite3")
        rows = self._memory.rows()
        self._ended = self._memory.ended()
        self._sequence = self._memory.begin_session(int(time.time())) << 20
        self._feeds = Feeds(self._memory.progress(), rows)
        self._kernel = Kernel()
        names, doors = NameService(str(self._dns)), PortService(str(self._doors))
        self._actuator = Actuator(self._kernel, names, doors, Supervisor(str(self._supervisor)), self._live)
        self._reconciler = Reconciler(self._actuator, self._read_surroundings)
        self._reconciler.remember(rows)
        self._attention = Attention(self._kernel.listen(), lambda: self.put("notices"))
        for socket, name in ((self._dns, "name service"), (self._supervisor, "supervisor of processes")):
            threading.Thread(target=watch_service, args=(socket, name, self.put), daemon=True).start()
        threading.Thread(target=watch_exits, args=(self._supervisor, self.put), daemon=True).start()
        threading.Thread(target=watch_routes, args=(partial(self.put, "facts"),), daemon=True).start()

    def _turn(self) -> None:
        self._live()
        now = time.monotonic()
        # A host that was never told anything has nothing to mend: what there is stays till the server speaks.
        if self._feeds.own.epoch and now >= self._next_look:
            self._next_look = now + RETRY_EVERY
            try:
                self._plan_look(now, done=self._look())
            except Interrupted:
                self._next_look = self._attention.put_off(self._kernel.looked_into)
            self._heed()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_EVERY
            self._memory.write()
            self._report_facts()
        due = min(self._next_look, self._next_beat) if self._feeds.own.epoch else self._next_beat
        wait = max(0.0, due - time.monotonic())
        self._serve(min(wait, RETRY_EVERY) if self._unsent else wait)

    def _plan_look(self, now: float, *, done: bool) -> None:
        if done and not self._reconciler.failures():
            self._patience = RETRY_EVERY
            self._next_look = now + LOOK_EVERY
        else:
            self._next_look = now + self._patience
            self._patience = min(2 * self._patience, LOOK_EVERY)

    def _serve(self, wait: float) -> None:
        """Work off what is in the inbox; changes that came together are made together."""
        items = self._gather(wait)
        with follow(*(item.request for item in items if isinstance(item, Delta))):
            self._work_off(items)

    def _work_off(self, items: list[Item]) -> None:
        began = time.monotonic()
        deltas = [item for item in items if isinstance(item, Delta)]
        # Ends before changes: a change that came with it was asked for after it, or does not know of it.
        exits = [item for item in items if isinstance(item, Exit) and self._ready and self._record_exit(item)]
        for exit_ in exits:
            self._reconciler.take_exit(exit_)
        rows = newest([row for delta in deltas for row in self._accept(delta)])
        if self._ready:
            if rows:
                self._reconciler.take(rows)
                self._ledger.changes.add(time.monotonic() - began)
            if exits or any(not delta.feed for delta in deltas):
                self._report_outcomes(began)
            if self._reconciler.failures():
                self._next_look = min(self._next_look, time.monotonic() + self._patience)
        else:
            self._reconciler.remember(rows)
        if restarts := tuple(item for item in items if isinstance(item, Restart)):
            self._post(restarts=restarts)
        self._ask_for_missing()
        self._restarts += [item for item in items if isinstance(item, Drift)]
        if self._restarts or "look" in items:
            self._next_look = 0.0
        self._heed()
        if "facts" in items:
            self._report_facts(only_news=True)
        self._flush()

    def _heed(self) -> None:
        """Let the next look be soon when something of ours was changed by something else."""
        self._attention.heed(self._actuator.touched, self._actuator.sandboxes)
        self._actuator.touched.clear()
        self._actuator.sandboxes.clear()
        self._next_look = min(self._next_look, self._attention.due)

    def _gather(self, wait: float) -> list[Item]:
        """What has come, the first of it awaited."""
        found: list[tuple[float, Item]] = []
        with suppress(queue.Empty):
            found.append(self._inbox.get(timeout=wait))
            self._pressing.clear()
            while True:
                found.append(self._inbox.get_nowait())
        now = time.monotonic()
        for at, _ in found:
            self._ledger.waits.add(now - at)
        return [item for _, item in found]

    def _accept(self, delta: Delta) -> list[Row]:
        if delta.host != self._host:
            return []
        intake = self._feeds.of(delta)
        if intake is None:
            log.warning("a message of an epoch or a feed that is over was refused")
            return []
        epoch = intake.epoch
        rows = intake.accept(delta)
        if rows is None:
            self._post(resync=True)
            return []
        if delta.awaited:
            self._awaited.add(delta.awaited, delta.rows)
        if not delta.feed and intake.epoch != epoch:
            self._ended.clear()
            self._ends.clear()
            self._memory.drop_ended()
        self._memory.keep(rows, intake.epoch, intake.revision, delta.feed)
        self._exits += find_asked(rows, self._ended, self._ends)
        for row in rows:
            if row.kind == "container" and row.spec is None:
                self._ended.pop(row.id, None)
                self._ends.pop(row.id, None)
                self._actuator.forget_process(row.id, remains=True)
        left = [row for row in rows if row.kind == "network" and row.spec is None]
        return rows + [peer for network in left for peer in self._leave(network)]

    def _leave(self, network: Row) -> list[Row]:
        peers = self._feeds.leave(network)
        self._memory.drop_feed(network.id, [peer.id for peer in peers])
        return peers

    def _ask_for_missing(self) -> None:
        gaps = self._feeds.gaps()
        if gaps and time.monotonic() >= self._next_ask:
            self._next_ask = time.monotonic() + ASK_EVERY
            self._post(gaps=tuple(gaps), feeds=gaps)

    def _record_exit(self, exit_: Exit) -> bool:
        """Note that a process has ended; False when that was known."""
        known = self._ended.get(exit_.container, -1) >= exit_.incarnation
        kept = exit_.container in self._reconciler.desired.containers
        if not known:
            self._exits.append(exit_)
            if kept:
                self._ends[exit_.container] = exit_
                self._ended[exit_.container] = exit_.incarnation
                self._memory.keep_ended(exit_.container, exit_.incarnation)
        self._actuator.forget_process(exit_.container, remains=not kept)
        return not known

    def _look(self) -> bool:
        """Observe everything and mend it; False when that could not be done."""
        began = time.monotonic()
        try:
            exits, restarts = self._actuator.read_processes()
            for exit_ in exits:
                self._record_exit(exit_)
            self._actuator.keep_remains(self._reconciler.desired.containers)
            drifted = self._reconciler.look(self._attention.begin(), self._give_way)
            made = self._actuator.sandboxes
            found = self._attention.finish(drifted, self._reconciler.sandboxes(), made)
            made.clear()
            self._drift, self._restarts = self._restarts + found, []
        except (KernelError, SupervisorError) as error:
            log.warning("the host could not be looked at: %s", error)
            return False
        self._ready = True
        self._ledger.looks.add(self._reconciler.last_look_ms / 1000)
        self._ledger.drift += len(self._drift)
        for drift in self._drift:
            log.warning("%s (for %s s)", drift.text, drift.seconds)
        look = Look(
            at=time.time(),
            took_ms=round(self._reconciler.last_look_ms, 1),
            objects=self._reconciler.counts(),
            mended=tuple(self._drift[:DRIFT]),
            restarts=tuple(restarts),
        )
        self._report_outcomes(began, look)
        return True

    def _give_way(self) -> None:
        # The first look is what all changes wait for.
        if self._ready and self._pressing.is_set():
            self._attention.give_way()

    def _report_outcomes(self, began: float, look: Look | None = None) -> None:
        outcomes = self._reconciler.outcomes()
        for failed in self._reconciler.failed_starts():
            if self._record_exit(failed):
                self._reconciler.take_exit(failed)
        exits, self._exits = self._exits, []
        took = (time.monotonic() - began) * 1000
        self._unsent_to |= self._awaited.tell(outcomes)
        self._post(outcomes=tuple(outcomes), exits=tuple(exits), took_ms=took, look=look)

    def _report_facts(self, *, only_news: bool = False) -> None:
        try:
            facts = read_facts(self._kernel)
        except KernelError as error:
            log.warning("the host's routes could not be read: %s", error)
            return
        if only_news and facts == self._facts:
            return
        self._facts = facts
        exits, self._exits = self._exits + self._untaken_exits(), []
        counts = self._ledger.tell(self._actuator.done, self._actuator.failed)
        feeds, anew = self._feeds.news(), not self._feeds.own.epoch
        self._post(facts=facts, exits=tuple(exits), counts=counts, feeds=feeds, resync=anew)

    def _untaken_exits(self) -> list[Exit]:
        """Ends that the server has taken no notice of: its rows still want those containers to run."""
        containers = self._reconciler.desired.containers
        return [end for end in find_untaken(containers, self._ended, self._ends) if end not in self._exits]

    def _post(self, **content: object) -> None:
        problems = (*self._reconciler.failures(), *(drift.text for drift in self._drift))[:PROBLEMS]
        self._sequence += 1
        report = Report(
            host=self._host,
            epoch=self._feeds.own.epoch,
            sequence=self._sequence,
            acked=self._feeds.own.revision,
            request=current(),
            problems=problems,
            **content,  # type: ignore[arg-type]
        )
        self._unsent = report if self._unsent is None else merge(self._unsent, report)
        self._flush()

    def _flush(self) -> None:
        if self._unsent is None or not self._send(self._unsent, self._unsent_to):
            return
        self._unsent_to = set()
        gone = [(outcome.kind, outcome.id) for outcome in self._unsent.outcomes if outcome.state == "gone"]
        self._unsent = None
        if gone:
            self._memory.drop(gone)

    def _read_surroundings(self) -> Surroundings:
        return Surroundings(host=self._host, resolv_conf=read_resolv_conf(), ended=self._ended)
