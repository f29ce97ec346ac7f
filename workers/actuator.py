"""Carrying out operations: the one door from planning to kernel, name service and processes."""

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import groupby

from workers.contract.names import Entry, Holder
from workers.contract.reports import PORT_TAKEN, SYSCTL_REFUSED, Exit, Restart
from workers.dns.client import NameService, NameServiceError
from workers.kernel.edge import Kernel
from workers.kernel.errors import KernelError
from workers.planning.diff import Operation
from workers.planning.objects import (
    FIREWALL,
    Bridge,
    Element,
    Key,
    Listener,
    Name,
    Objects,
    Port,
    Process,
    Redirect,
    Remote,
    Sandbox,
    Sysctls,
    see_process,
)
from workers.publishing.client import PortService, PortServiceError
from workers.runtimes.client import Supervisor, SupervisorError
from workers.runtimes.protocol import Run, describe

log = logging.getLogger(__name__)
UNSTARTABLE = (126, 127)
"""Not executable, not found: another try would fail too."""
Results = dict[Key, str]
"""What became of each operation: why it failed, or an empty text."""


class Actuator:
    """To be used from one thread."""

    def __init__(
        self,
        kernel: Kernel,
        names: NameService,
        doors: PortService,
        supervisor: Supervisor,
        live: Callable[[], None] = lambda: None,
    ) -> None:
        """`live` is called before each operation that takes its time."""
        self._kernel, self._names, self._doors, self._supervisor = kernel, names, doors, supervisor
        self._live = live
        self.unstartable: dict[str, tuple[int, str]] = {}
        """Containers whose command cannot be run at all: exit code as a shell has it, and why. Whoever reads takes."""
        self.codes: dict[Key, str] = {}
        """Of what the host refuses for good, or until a person does something about it: a word for programs."""
        self.touched: set[str] = set()
        """Where something was changed by us since the last look began: what the kernel tells of it is no news.
        Whoever reads takes."""
        self.sandboxes: set[str] = set()
        """Names of sandboxes made since. Whoever reads takes."""
        self._runs: dict[str, Run] = {}
        """As the last look found them."""
        self.done: Counter[str] = Counter()
        """Operations by kind of object, since the beginning …"""
        self.failed: Counter[str] = Counter()
        """… and those of them that failed."""
        self.mended: list[str] = []
        """What the last look had to put right first, in sentences."""

    def observe(self, wanted: Objects, unchanged: Container[str], breathe: Callable[[], None]) -> Objects:
        """Everything of ours there is, names and held ports excepted. A process that runs, or is begun again,
        counts as the wanted one if it is of the same incarnation: what else it was started with cannot be seen any
        more.

        `unchanged`: sandboxes that need not be looked into; `breathe`: see `Kernel.observe`.
        """
        self.touched.clear()
        self.mended = self._ensure(wanted)
        if self.mended:
            # It is told with the rest, which the look therefore has to come to.
            breathe = _go_on
        sysctls = (item for item in wanted.values() if isinstance(item, Sysctls))
        found = self._kernel.observe(sysctls, unchanged, breathe)
        self._runs = self._supervisor.status()
        for container, run in self._runs.items():
            if run.state == "exited":
                continue
            key = ("process", container)
            want = wanted.get(key)
            if isinstance(want, Process) and want.incarnation == run.incarnation:
                found[key] = want
            else:
                found[key] = see_process(container, run.incarnation)
        return found

    def _ensure(self, wanted: Objects) -> list[str]:
        """What everything else stands on: our firewall table, and a host that routes."""
        mended = []
        if self._kernel.ensure_table():
            self.touched.add(FIREWALL)
            mended.append("The firewall's rules had been changed or removed; they were made anew.")
        bridged = [
            address for item in wanted.values() if isinstance(item, Bridge) for address in item.addresses
        ]
        if bridged and self._kernel.ensure_forwarding(any(":" in address for address in bridged)):
            mended.append("The host had been told not to route; that was put right.")
        return mended

    def read_processes(self) -> tuple[list[Exit], list[Restart]]:
        """Those that have ended and of which nobody has taken notice yet, and those that were begun again."""
        told = [describe(container, run) for container, run in self._supervisor.status().items()]
        exits = [news for news in told if isinstance(news, Exit)]
        return exits, [news for news in told if isinstance(news, Restart)]

    def synchronise_names(self, names: Iterable[Name]) -> Results:
        """Make these the only names there are."""
        entries = [name.entry for name in names]
        try:
            return self._named(entries, self._names.sync(entries))
        except NameServiceError as error:
            return {Name(entry=entry).key: str(error) for entry in entries}

    def synchronise_listeners(self, listeners: Iterable[Listener]) -> Results:
        """Hold these ports of the host and no others."""
        wanted = list(listeners)
        try:
            failures = self._doors.sync([listener.binding for listener in wanted])
        except PortServiceError as error:
            return {listener.key: str(error) for listener in wanted}
        return {listener.key: failures.get(_door(listener), "") for listener in wanted}

    def end_process(self, container: str, timeout: float) -> str:
        """Ask the process to end within `timeout` seconds; its exit is told later. Why it cannot, or an empty text."""
        try:
            self._supervisor.stop(container, timeout)
        except SupervisorError as error:
            return str(error)
        return ""

    def forget_process(self, container: str, *, remains: bool = False) -> None:
        """Drop the record of an ended process, and with `remains` what it printed and wrote; nothing while it runs."""
        try:
            self._supervisor.forget(container, remains)
        except SupervisorError as error:
            log.debug("%s", error)

    def keep_remains(self, containers: Iterable[str]) -> None:
        """Drop what processes of all other containers printed and wrote. Raises SupervisorError."""
        self._supervisor.keep(list(containers))

    def apply(self, operations: list[Operation]) -> Results:
        """Carry out the operations in their order; one that fails does not keep the others."""
        results: Results = {}
        refused: dict[str, str] = {}
        for operation in operations:
            self.touched |= operation.places
        for kind, group in groupby(operations, key=lambda operation: operation.key[0]):
            batch = list(group)
            if kind == "element":
                results.update(self._apply_elements(batch))
            elif kind == "remote":
                results.update(self._apply_remotes(batch))
            elif kind == "redirect":
                results.update(self._apply_redirects(batch, results))
            elif kind == "listener":
                results.update(self._apply_listeners(batch))
                refused = {
                    op.after.container: why
                    for op in batch
                    if isinstance(op.after, Listener) and (why := results[op.key])
                }
            elif kind == "name":
                results.update(self._apply_names(batch))
            elif kind == "port" and len(batch) > 1 and all(op.verb == "remove" for op in batch):
                results.update(self._remove_ports(batch))
            else:
                for operation in batch:
                    blocked = _blocked(operation, results, refused)
                    results[operation.key] = blocked or self._apply_one(operation)
        for operation in operations if log.isEnabledFor(logging.INFO) else ():
            end = "failed" if results.get(operation.key) else "done"
            log.info("%s %s %s: %s", operation.verb, *operation.key[:2], end)
        self.done.update(operation.key[0] for operation in operations)
        self.failed.update(operation.key[0] for operation in operations if results.get(operation.key))
        return results

    def _apply_one(self, operation: Operation) -> str:
        """Why it failed, or an empty text."""
        self._live()
        self.codes.pop(operation.key, None)
        try:
            self._carry_out(operation)
        except (KernelError, SupervisorError) as error:
            after = operation.after
            if isinstance(after, Sysctls):
                self.codes[after.key] = SYSCTL_REFUSED
            if (
                isinstance(after, Process)
                and isinstance(error, SupervisorError)
                and error.code in UNSTARTABLE
            ):
                self.unstartable[after.container] = (error.code, str(error))
            return _explain(operation, error)
        except Exception as error:
            # Whatever is wrong with one object, the others on the host are made all the same.
            log.exception("cannot %s %s", operation.verb, operation.key)
            return f"The {operation.key[0]} cannot be made as asked: {error}."
        return ""

    def _carry_out(self, operation: Operation) -> None:
        before, after = operation.before, operation.after
        if isinstance(after, Process):
            self._supervisor.start(after)
        elif after is None:
            assert before is not None
            if isinstance(before, Sandbox):
                # Whatever was started in it from outside (an exec, a shell) would keep the namespace alive.
                self._supervisor.end(before.name)
            self._kernel.remove(before)
        elif before is None:
            if not (isinstance(after, Sandbox) and self._adopt(after)):
                self._kernel.create(after)
            if isinstance(after, Sandbox):
                self.sandboxes.add(after.name)
        else:
            self._kernel.change(before, after)
            if isinstance(after, Sandbox):
                self.sandboxes.add(after.name)

    def _adopt(self, wanted: Sandbox) -> bool:
        """Give a sandbox its name back of which only the name was taken away: its process still runs in it."""
        run = self._runs.get(wanted.container)
        return run is not None and run.state == "running" and self._kernel.adopt(wanted, run.pid)

    def _remove_ports(self, batch: list[Operation]) -> Results:
        """Many at once: the kernel waits for each removal, or once for all."""
        try:
            self._kernel.remove_ports([op.before for op in batch if isinstance(op.before, Port)])
        except KernelError as error:
            return {operation.key: _explain(operation, error) for operation in batch}
        return {operation.key: "" for operation in batch}

    def _apply_remotes(self, batch: list[Operation]) -> Results:
        """A network that is new here brings as many as it has endpoints elsewhere, and a host that moves its end of
        the tunnels changes all of its own."""
        add = [op.after for op in batch if op.before is None and isinstance(op.after, Remote)]
        remove = [op.before for op in batch if op.after is None and isinstance(op.before, Remote)]
        change = [
            (op.before, op.after)
            for op in batch
            if isinstance(op.before, Remote) and isinstance(op.after, Remote)
        ]
        results: Results = {operation.key: "" for operation in batch}
        try:
            return results | self._kernel.apply_remotes(add, remove, change)
        except Exception as error:
            # One that cannot even be written down must not keep the others from being reached.
            log.warning("cannot program %d remote endpoints at once: %s", len(batch), error)
            return {operation.key: self._apply_one(operation) for operation in batch}

    def _apply_elements(self, batch: list[Operation]) -> Results:
        add = [op.after for op in batch if isinstance(op.after, Element)]
        remove = [op.before for op in batch if op.after is None and isinstance(op.before, Element)]
        message = ""
        try:
            self._kernel.apply_elements(add, remove)
        except KernelError as error:
            message = _explain(batch[0], error)
        return {operation.key: message for operation in batch}

    def _apply_redirects(self, batch: list[Operation], results: Results) -> Results:
        """A container may publish a thousand ports. Those whose listener was refused are left to who has them."""
        told = {operation.key: _blocked(operation, results, {}) for operation in batch}
        free = [operation for operation in batch if not told[operation.key]]
        add = [op.after for op in free if isinstance(op.after, Redirect)]
        remove = [op.before for op in free if isinstance(op.before, Redirect)]
        try:
            self._kernel.apply_redirects(add, remove)
        except KernelError as error:
            # One that cannot be made must not keep the others from being made.
            log.warning("cannot redirect %d ports at once: %s", len(free), error)
            told |= {operation.key: self._apply_one(operation) for operation in free}
        return told

    def _apply_names(self, batch: list[Operation]) -> Results:
        entries = [op.after.entry for op in batch if isinstance(op.after, Name)]
        gone = [_address(op.before.entry) for op in batch if op.after is None and isinstance(op.before, Name)]
        results: Results = {operation.key: "" for operation in batch}
        try:
            results.update(self._named(entries, self._names.update(entries, gone)))
        except NameServiceError as error:
            results = {operation.key: _explain(operation, error) for operation in batch}
        return results

    def _apply_listeners(self, batch: list[Operation]) -> Results:
        wanted = [op.after for op in batch if isinstance(op.after, Listener)]
        gone = [_door(op.before) for op in batch if op.after is None and isinstance(op.before, Listener)]
        results: Results = {operation.key: "" for operation in batch}
        try:
            failures = self._doors.update([listener.binding for listener in wanted], gone)
        except PortServiceError as error:
            return {operation.key: _explain(operation, error) for operation in batch}
        told = {listener.key: failures.get(_door(listener), "") for listener in wanted}
        self.codes.update((key, PORT_TAKEN) for key, failure in told.items() if failure)
        return results | told

    @staticmethod
    def _named(entries: Iterable[Entry], failures: dict[tuple[str, str], str]) -> Results:
        return {Name(entry=entry).key: failures.get(_address(entry), "") for entry in entries}


def _go_on() -> None:
    """Do not break off."""


def _address(entry: Entry) -> tuple[str, str]:
    """How the name service calls an entry."""
    return ("holder", entry.endpoint) if isinstance(entry, Holder) else ("view", entry.container)


def _door(listener: Listener) -> tuple[str, str]:
    """How the port service calls a held port."""
    return listener.binding.protocol, f"{listener.binding.address} {listener.binding.host_port}"


def _blocked(operation: Operation, results: Results, refused: Mapping[str, str]) -> str:
    """Why the operation is not tried: what it needs could not be made. `refused`: ports of the host, by container."""
    after = operation.after
    if isinstance(after, Redirect):
        # The port is another program's: what comes for it stays that one's.
        return results.get(after.listener, "")
    container = getattr(after, "container", "")
    if isinstance(after, Process) and container in refused:
        return refused[container]
    if isinstance(after, Process) and (why := results.get(("sysctls", container))):
        return why
    return results.get(("sandbox", container), "")


def _explain(operation: Operation, error: Exception) -> str:
    log.warning("cannot %s %s %s: %s", operation.verb, *operation.key, error)
    return str(error)
