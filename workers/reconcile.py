"""Observe ▶ plan ▶ apply ▶ verify: turns desired rows into a host's kernel, names and processes.

A single change touches the objects of its own rows; what there is, is known from what was built and found before.
A full look (`look`) observes everything, and mends whatever differs.
"""

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable
from time import monotonic

import msgspec

from workers.actuator import Actuator
from workers.contract.reports import Exit, Outcome
from workers.contract.state import Kind, Row
from workers.planning.desired import Desired, Owner
from workers.planning.diff import diff
from workers.planning.drift import find_drift
from workers.planning.objects import FIREWALL, Key, Listener, Name, Objects, Process, Sandbox
from workers.planning.render import Surroundings, render, runs

log = logging.getLogger(__name__)
OWN: dict[Kind, tuple[str, ...]] = {
    "network": ("bridge",),
    "container": ("sandbox", "files", "sysctls", "routes", "process"),
    "endpoint": ("port", "macvlan"),
    "peer": (),
}
"""Kinds of kernel objects that carry the id of the row they are made for."""
OVERDUE = 5.0
"""Seconds after the end of its patience at which a process is asked once more to end: the first one was lost."""


class Reconciler:
    """Keeps one host as its rows say. To be used from one thread."""

    def __init__(self, actuator: Actuator, surroundings: Callable[[], Surroundings]) -> None:
        self._actuator = actuator
        self._surroundings = surroundings
        self.desired = Desired()
        self._wanted: Objects = {}
        self._found: Objects = {}
        self._keys: dict[Owner, set[Key]] = {}
        self._claims: dict[Key, set[Owner]] = {}
        self._leaving: dict[Owner, set[Key]] = {}
        self._failures: dict[Key, str] = {}
        self._unclear: dict[Owner, str] = {}
        self._ending: dict[str, float] = {}
        self._held_up: dict[str, set[Owner]] = {}
        self._unsettled: dict[Owner, int] = {}
        self._told: dict[Owner, tuple[int, str]] = {}
        self._rendered_for: Surroundings | None = None
        """What all that is wanted was rendered for, but for …"""
        self._stale: set[Owner] = set()
        """… these, which were told of since."""
        self.last_look_ms = 0.0

    # What comes in

    def remember(self, rows: Iterable[Row]) -> None:
        """Rows that the next `look` shall make true."""
        for row in rows:
            self._stale |= self.desired.affected_by(row.kind, row.id)
            self._put(row)
            self._stale |= self.desired.affected_by(row.kind, row.id)

    def take(self, rows: Iterable[Row]) -> None:
        """Make the rows true, as far as it can be done now."""
        owners: set[Owner] = set()
        for row in rows:
            owners |= self.desired.affected_by(row.kind, row.id)
            self._put(row)
            owners |= self.desired.affected_by(row.kind, row.id)
        self._settle(owners)

    def _put(self, row: Row) -> None:
        owner = (row.kind, row.id)
        self.desired.put(row)
        self._unsettled[owner] = row.revision
        if row.spec is None:
            self._leaving.setdefault(owner, set()).update((kind, row.id) for kind in OWN[row.kind])

    def take_exit(self, exit_: Exit) -> None:
        """The process of a container has ended, which `surroundings` knows already: take the container down."""
        key = ("process", exit_.container)
        held = self._found.get(key)
        if isinstance(held, Process) and held.incarnation == exit_.incarnation:
            del self._found[key]
        self._ending.pop(exit_.container, None)
        held_up = self._held_up.pop(exit_.container, set())
        self._settle(self.desired.affected_by("container", exit_.container) | held_up)

    def look(self, unchanged: Container[str] = (), breathe: Callable[[], None] = lambda: None) -> list[str]:
        """Find out what there is, and mend what differs from what should be; says what had drifted.

        `unchanged`: sandboxes that need not be looked into; `breathe` may break the look off while it only reads.
        """
        began = monotonic()
        surroundings = self._surroundings()
        known, owners = self._found, {*self.desired.owners(), *self._keys, *self._unsettled}
        for owner in owners if surroundings != self._rendered_for else self._stale.union(self._unclear):
            self._render(owner, surroundings)
        self._rendered_for = msgspec.structs.replace(surroundings, ended=dict(surroundings.ended))
        self._stale.clear()
        rendered, ending = set(owners), set(self._ending)
        self._found = self._actuator.observe(self._wanted, unchanged, breathe)
        drift = self._actuator.mended if known else []
        if FIREWALL in self._actuator.touched:
            # The table was made anew: what was in it is no news of its own.
            known = {key: item for key, item in known.items() if key[0] not in ("element", "redirect")}
        drift = drift + find_drift(known, self._found, self._wanted, self._failures, self.desired)
        # A supervisor that was restarted knows nothing of what its predecessor was asked.
        self._ending = {
            container: until
            for container, until in self._ending.items()
            if ("process", container) in self._found and began < until + OVERDUE
        }
        names = [item for item in self._wanted.values() if isinstance(item, Name)]
        listeners = [item for item in self._wanted.values() if isinstance(item, Listener)]
        told = self._actuator.synchronise_names(names) | self._actuator.synchronise_listeners(listeners)
        for key, failure in told.items():
            if not failure:
                self._found[key] = self._wanted[key]
        owners |= {("container", id) for kind, id in self._found if kind == "process"}
        refused = self._end_processes(owners, surroundings)
        # All else is rendered already: what is wanted of it has nothing to do with what was found.
        ending |= set(self._ending)
        for owner in owners:
            if owner not in rendered or self._container_of(owner) in ending:
                self._render(owner, surroundings)
        self._make_true(owners, {*self._wanted, *self._found, *self._failures}, refused)
        self.last_look_ms = (monotonic() - began) * 1000
        return drift

    # What goes out

    def outcomes(self) -> list[Outcome]:
        """What became of rows since the last call; rows that wait for a process to end are told later. Of peers, which
        are another host's, only failures are told, with everything else that fails."""
        told = []
        for owner, revision in list(self._unsettled.items()):
            kind, id = owner
            if kind == "peer":
                del self._unsettled[owner]
                continue
            message, code = self._failure_of(owner)
            if message:
                if self._told.get(owner) != (revision, message):
                    self._told[owner] = (revision, message)
                    failed = Outcome(kind=kind, id=id, revision=revision, state="failed", message=message)
                    told.append(msgspec.structs.replace(failed, code=code))
                continue
            if self._container_of(owner) in self._ending or self._waits_for_rows(owner):
                continue
            del self._unsettled[owner]
            self._told.pop(owner, None)
            told.append(
                Outcome(
                    kind=kind, id=id, revision=revision, state="applied" if self._exists(owner) else "gone"
                )
            )
        return told

    def _failure_of(self, owner: Owner) -> tuple[str, str]:
        """Why the row could not be made true, and the word for it; a container's also by what attaches it."""
        owners = [owner]
        if owner[0] == "container":
            owners += [("endpoint", endpoint.id) for endpoint in self.desired.endpoints_of(owner[1])]
        found = ""
        for each in owners:
            if each in self._unclear:
                return self._unclear[each], ""
            for key in self._keys.get(each, set()) | self._leaving.get(each, set()):
                if key in self._failures:
                    found = self._failures[key]
                    if code := self._actuator.codes.get(key):
                        return found, code
        return found, ""

    def _waits_for_rows(self, owner: Owner) -> bool:
        """An endpoint that came before its network or its container."""
        endpoint = self.desired.endpoints.get(owner[1]) if owner[0] == "endpoint" else None
        if endpoint is None:
            return False
        known = self.desired
        return endpoint.network not in known.networks or endpoint.container not in known.containers

    def failures(self) -> list[str]:
        """What could not be done at the last try, each sentence once."""
        return list(dict.fromkeys([*self._failures.values(), *self._unclear.values()]))

    def failed_starts(self) -> list[Exit]:
        """Processes that could not be started: they have ended before they began. Each is told once, and its row is
        settled with it."""
        exits = []
        for container, (code, message) in self._actuator.unstartable.items():
            wanted = self._wanted.get(("process", container))
            if isinstance(wanted, Process):
                exits.append(
                    Exit(container=container, incarnation=wanted.incarnation, code=code, message=message)
                )
                self._unsettled.pop(("container", container), None)
                self._told.pop(("container", container), None)
        self._actuator.unstartable.clear()
        return exits

    def sandboxes(self) -> set[str]:
        """Names of the namespaces of ours."""
        return {item.name for item in self._found.values() if isinstance(item, Sandbox)}

    def counts(self) -> dict[str, int]:
        """How many objects of each kind there are."""
        return dict(Counter(kind for kind, _ in self._found))

    # How it is done

    def _settle(self, owners: set[Owner]) -> None:
        surroundings = self._surroundings()
        if surroundings != self._rendered_for:
            # The others are to be rendered anew too, which the next look does.
            self._rendered_for = None
        refused = self._end_processes(owners, surroundings)
        keys: set[Key] = set()
        for owner in owners:
            keys |= self._keys.get(owner, set()) | self._leaving.get(owner, set())
            self._render(owner, surroundings)
            keys |= self._keys.get(owner, set())
        self._make_true(owners, keys, refused)

    def _end_processes(self, owners: set[Owner], surroundings: Surroundings) -> dict[Key, str]:
        """Those of containers among `owners` that are not as wanted; which could not be asked to, and why."""
        refused: dict[Key, str] = {}
        for container in {container for owner in owners if (container := self._container_of(owner))}:
            if failure := self._end_process(container, surroundings):
                refused["process", container] = failure
        return refused

    def _make_true(self, owners: set[Owner], keys: set[Key], refused: dict[Key, str]) -> None:
        """Bring the objects of `keys`, which are those of `owners`, from what was found to what is wanted."""
        troubled = bool(refused or self._failures or owners & set(self._leaving))
        if not troubled and all(self._wanted.get(key) == self._found.get(key) for key in keys):
            return
        operations = diff(self._wanted, self._found, keys)
        results = self._actuator.apply([op for op in operations if not self._is_end_of_process(op.key)])
        self._note(keys, results | refused)
        for owner in owners & set(self._leaving):
            self._leaving[owner] = {
                key for key in self._leaving[owner] & set(self._found) if key not in self._wanted
            }
            if not self._leaving[owner]:
                del self._leaving[owner]

    def _note(self, keys: set[Key], results: dict[Key, str]) -> None:
        """Keep in mind how the objects are now. What needed no operation is as wanted too: it went along with its
        sandbox when that was renamed or removed."""
        for key in keys | set(results):
            failure = results.get(key, "")
            if failure:
                self._failures[key] = failure
                continue
            self._failures.pop(key, None)
            self._actuator.codes.pop(key, None)
            if self._is_end_of_process(key) or self._stays_behind(key, results):
                continue
            if key in self._wanted:
                self._found[key] = self._wanted[key]
            else:
                self._found.pop(key, None)

    def _stays_behind(self, key: Key, results: dict[Key, str]) -> bool:
        """The object had no operation of its own, and that of its sandbox failed."""
        container = getattr(self._found.get(key), "container", None)
        return key not in results and bool(results.get(("sandbox", container or "")))

    def _is_end_of_process(self, key: Key) -> bool:
        """A process is not removed like an object: it is asked to end, and says when it has."""
        return key[0] == "process" and key not in self._wanted

    def _render(self, owner: Owner, surroundings: Surroundings) -> None:
        """Renew what `owner` wants; an object that several rows want stays until none of them does."""
        old = self._keys.get(owner, set())
        try:
            objects = render(self.desired, owner, surroundings)
            self._unclear.pop(owner, None)
        except Exception as error:
            # One row that cannot be understood must not keep the others from being made true.
            log.exception("%s %s cannot be understood", *owner)
            self._unclear[owner] = f"This {owner[0]} cannot be understood by its host: {error}."
            objects = {key: self._wanted[key] for key in old}
        container = self._container_of(owner)
        if container is not None and container in self._ending:
            self._held_up.setdefault(container, set()).add(owner)
            # Its process is still on its way out: it keeps its network till then, but nobody is sent to it any more.
            kept = old | {(kind, owner[1]) for kind in OWN[owner[0]]}
            objects = {
                key: self._found[key]
                for key in kept
                if key in self._found and key[0] not in ("name", "process")
            }
        for key in old - set(objects):
            claims = self._claims[key]
            claims.discard(owner)
            if not claims:
                del self._claims[key]
                self._wanted.pop(key, None)
                if key in self._found:
                    self._leaving.setdefault(owner, set()).add(key)
        for key, item in objects.items():
            self._claims.setdefault(key, set()).add(owner)
            self._wanted[key] = item
        if objects:
            self._keys[owner] = set(objects)
        else:
            self._keys.pop(owner, None)

    def _end_process(self, container: str, surroundings: Surroundings) -> str:
        """Ask a process to end that is not the wanted one. Why that failed, or an empty text."""
        held = self._found.get(("process", container))
        spec = self.desired.containers.get(container)
        if not isinstance(held, Process):
            return ""
        if spec and spec.command and runs(spec, surroundings) and spec.incarnation == held.incarnation:
            return ""
        patience = spec.stop_timeout if spec else 0.0
        until = monotonic() + patience
        if self._ending.get(container, until + 1) <= until:
            return ""
        failure = self._actuator.end_process(container, patience)
        # Asked again at the next look when it could not be told.
        self._ending[container] = -OVERDUE if failure else until
        return failure

    def _container_of(self, owner: Owner) -> str | None:
        kind, id = owner
        if kind == "container":
            return id
        if kind in ("network", "peer"):
            return None
        endpoint = self.desired.endpoints.get(id)
        if endpoint is not None:
            return endpoint.container
        port = self._found.get(("port", id)) or self._found.get(("macvlan", id))
        return getattr(port, "container", None)

    def _exists(self, owner: Owner) -> bool:
        kind, id = owner
        if kind == "network":
            return id in self.desired.networks
        return id in (self.desired.containers if kind == "container" else self.desired.endpoints)
