"""Observe ▶ plan ▶ apply ▶ verify: turns desired rows into a host's kernel, names and processes.

A single change touches the objects of its own rows; what there is, is known from what was built and found before.
A full look (`look`) observes everything, and mends whatever differs.
"""

from collections.abc import Callable, Iterable
from time import monotonic

from workers.actuator import Actuator
from workers.contract.reports import Exit, Outcome
from workers.contract.state import Row
from workers.planning.desired import Desired, Owner
from workers.planning.diff import diff
from workers.planning.objects import Key, Name, Objects, Process
from workers.planning.render import Surroundings, render


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
        self._failures: dict[Key, str] = {}
        self._ending: set[str] = set()
        self._held_up: dict[str, set[Owner]] = {}
        self._unsettled: dict[Owner, int] = {}
        self._told: dict[Owner, tuple[int, str]] = {}
        self.last_look_ms = 0.0

    # What comes in

    def remember(self, rows: Iterable[Row]) -> None:
        """Rows that the next `look` shall make true."""
        for row in rows:
            self.desired.put(row)
            self._unsettled[row.kind, row.id] = row.revision

    def take(self, rows: Iterable[Row]) -> None:
        """Make the rows true, as far as it can be done now."""
        owners: set[Owner] = set()
        for row in rows:
            owners |= self.desired.affected_by(row.kind, row.id)
            self.desired.put(row)
            owners |= self.desired.affected_by(row.kind, row.id)
            self._unsettled[row.kind, row.id] = row.revision
        self._settle(owners)

    def take_exit(self, exit_: Exit) -> None:
        """The process of a container has ended, which `surroundings` knows already: take the container down."""
        key = ("process", exit_.container)
        held = self._found.get(key)
        if isinstance(held, Process) and held.incarnation == exit_.incarnation:
            del self._found[key]
        self._actuator.forget_process(exit_.container)
        self._ending.discard(exit_.container)
        held_up = self._held_up.pop(exit_.container, set())
        self._settle(self.desired.affected_by("container", exit_.container) | held_up)

    def look(self) -> list[str]:
        """Find out what there is, and mend what differs from what should be; says what had drifted."""
        began = monotonic()
        surroundings = self._surroundings()
        known, owners = self._found, {*self.desired.owners(), *self._keys}
        for owner in owners:
            self._render(owner, surroundings)
        self._found = self._actuator.observe(self._wanted)
        drift = [
            f"{kind} {id}"
            for (kind, id), item in known.items()
            if kind != "name" and self._found.get((kind, id)) != item
        ]
        names = [item for item in self._wanted.values() if isinstance(item, Name)]
        for key, failure in self._actuator.synchronise_names(names).items():
            if failure:
                self._failures[key] = failure
            else:
                self._failures.pop(key, None)
                self._found[key] = self._wanted[key]
        self._settle(owners, everything=True)
        self.last_look_ms = (monotonic() - began) * 1000
        return drift

    # What goes out

    def outcomes(self) -> list[Outcome]:
        """What became of rows since the last call; rows that wait for a process to end are told later."""
        told = []
        for owner, revision in list(self._unsettled.items()):
            kind, id = owner
            if self._container_of(owner) in self._ending:
                continue
            message = next(
                (self._failures[key] for key in self._keys.get(owner, ()) if key in self._failures), ""
            )
            if message:
                if self._told.get(owner) != (revision, message):
                    self._told[owner] = (revision, message)
                    told.append(Outcome(kind=kind, id=id, revision=revision, state="failed", message=message))
                continue
            del self._unsettled[owner]
            self._told.pop(owner, None)
            told.append(
                Outcome(
                    kind=kind, id=id, revision=revision, state="applied" if self._exists(owner) else "gone"
                )
            )
        return told

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
        self._actuator.unstartable.clear()
        return exits

    # How it is done

    def _settle(self, owners: set[Owner], *, everything: bool = False) -> None:
        surroundings = self._surroundings()
        for container in {container for owner in owners if (container := self._container_of(owner))}:
            self._end_process(container, surroundings)
        keys: set[Key] = set()
        for owner in owners:
            keys |= self._keys.get(owner, set())
            self._render(owner, surroundings)
            keys |= self._keys.get(owner, set())
        operations = diff(self._wanted, self._found, None if everything else keys)
        results = self._actuator.apply([op for op in operations if not self._is_end_of_process(op.key)])
        for key in keys - set(results):
            self._failures.pop(key, None)
        for key, failure in results.items():
            if failure:
                self._failures[key] = failure
                continue
            self._failures.pop(key, None)
            if key in self._wanted:
                self._found[key] = self._wanted[key]
            else:
                self._found.pop(key, None)

    def _is_end_of_process(self, key: Key) -> bool:
        """A process is not removed like an object: it is asked to end, and says when it has."""
        return key[0] == "process" and key not in self._wanted

    def _render(self, owner: Owner, surroundings: Surroundings) -> None:
        """Renew what `owner` wants; an object that several rows want stays until none of them does."""
        objects = render(self.desired, owner, surroundings)
        old = self._keys.get(owner, set())
        container = self._container_of(owner)
        if container is not None and container in self._ending:
            self._held_up.setdefault(container, set()).add(owner)
            # Its process is still on its way out: it keeps its network till then, but nobody is sent to it any more.
            objects = {
                key: self._found[key]
                for key in old
                if key in self._found and key[0] not in ("name", "process")
            }
        for key in old - set(objects):
            claims = self._claims[key]
            claims.discard(owner)
            if not claims:
                del self._claims[key]
                self._wanted.pop(key, None)
        for key, item in objects.items():
            self._claims.setdefault(key, set()).add(owner)
            self._wanted[key] = item
        if objects:
            self._keys[owner] = set(objects)
        else:
            self._keys.pop(owner, None)

    def _end_process(self, container: str, surroundings: Surroundings) -> None:
        """Ask a process to end that is not the wanted one."""
        key = ("process", container)
        held = self._found.get(key)
        if not isinstance(held, Process) or container in self._ending:
            return
        wanted = render(self.desired, ("container", container), surroundings).get(key)
        if isinstance(wanted, Process) and wanted.incarnation == held.incarnation:
            return
        spec = self.desired.containers.get(container)
        failure = self._actuator.end_process(container, spec.stop_timeout if spec else 0.0)
        if failure:
            self._failures[key] = failure
        else:
            self._ending.add(container)

    def _container_of(self, owner: Owner) -> str | None:
        kind, id = owner
        if kind == "container":
            return id
        if kind == "network":
            return None
        endpoint = self.desired.endpoints.get(id)
        if endpoint is not None:
            return endpoint.container
        port = self._found.get(("port", id))
        return getattr(port, "container", None)

    def _exists(self, owner: Owner) -> bool:
        kind, id = owner
        if kind == "network":
            return id in self.desired.networks
        return id in (self.desired.containers if kind == "container" else self.desired.endpoints)
