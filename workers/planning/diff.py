"""From what is found to what is wanted: the operations, in an order that can be carried out. Pure."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from workers.contract.names import View
from workers.contract.state import Struct
from workers.planning.objects import (
    FIREWALL,
    Bridge,
    Files,
    KernelObject,
    Key,
    Macvlan,
    Name,
    Objects,
    Port,
    Process,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)

# Filters stand before traffic can flow and go after it; names answer once what they name can be reached.
# An address that is asked for before its way is known is asked for again only after a second: remotes before ports.
RANK = (
    "element",
    "bridge",
    "tunnel",
    "sandbox",
    # Before there are interfaces: what is set for all of them, or by default, counts from their birth on.
    "sysctls",
    "remote",
    "port",
    "macvlan",
    "routes",
    # Nobody reads them before the change is answered, or the process begun.
    "files",
    "name",
    # Held before anything is sent there: a port that another program has stays its own.
    "listener",
    "redirect",
    "process",
)
IN_SANDBOX = (Files, Sysctls, Port, Macvlan, Routes)


class Operation(Struct, frozen=True, kw_only=True):
    verb: Literal["create", "change", "remove"]
    before: KernelObject | None = None
    after: KernelObject | None = None

    @property
    def key(self) -> Key:
        item = self.after or self.before
        assert item is not None
        return item.key

    @property
    def places(self) -> set[str]:
        """Where it changes something: devices, sandboxes, the firewall."""
        if self.key[0] in ("element", "redirect"):
            return {FIREWALL}
        items = [item for item in (self.before, self.after) if item is not None]
        fields = ("device", "bridge", "tunnel", "sandbox", "name")
        return {str(getattr(item, field, "")) for item in items for field in fields}

    def __str__(self) -> str:
        item = self.after if self.after is not None else self.before
        shown = msgspec.json.encode(msgspec.to_builtins(item)).decode()
        return f"{self.verb} {self.key[0]} {shown}"


def diff(wanted: Objects, found: Objects, keys: Iterable[Key] | None = None) -> list[Operation]:
    """Operations for `keys` (all when None) that turn `found` into `wanted`; removals come first.

    What cannot be changed in place is removed and created anew: a key then has two operations.
    """
    chosen = set(wanted) | set(found) if keys is None else set(keys)
    fate = _Fate(wanted, found, chosen)
    removals, additions = [], []
    for key in chosen:
        want, have = wanted.get(key), found.get(key)
        left = have if have is None else fate.of(have, want)
        if have is not None and left is None and not fate.goes_along(have):
            removals.append(Operation(verb="remove", before=have))
        if want is not None and left is None:
            additions.append(Operation(verb="create", after=want))
        elif want is not None and left is not None and _differs(want, left):
            additions.append(Operation(verb="change", before=left, after=want))
    removals.sort(key=lambda op: (-RANK.index(op.key[0]), op.key))
    additions.sort(key=lambda op: (RANK.index(op.key[0]), op.verb == "create", _interface(op), op.key))
    return removals + list(_untangle(additions))


class _Fate:
    """What becomes of found objects because of others: a sandbox takes what is in it along, an interface its routes, a
    tunnel its remotes."""

    def __init__(self, wanted: Objects, found: Objects, keys: set[Key]) -> None:
        self._renamed: dict[str, str] = {}
        self._gone: set[str] = set()
        self._unplugged: set[tuple[str, str]] = set()
        self._closed: set[str] = set()
        for key in keys:
            want, have = wanted.get(key), found.get(key)
            if isinstance(have, Sandbox):
                if not isinstance(want, Sandbox) or want.incarnation != have.incarnation:
                    self._gone.add(have.container)
                elif want.name != have.name:
                    self._renamed[have.container] = want.name
        for key in keys:
            want, have = wanted.get(key), found.get(key)
            if isinstance(have, Port | Macvlan) and self.of(have, want) is None:
                self._unplugged.add((have.container, have.interface))
            if isinstance(have, Tunnel) and self.of(have, want) is None:
                self._closed.add(have.device)

    def of(self, have: KernelObject, want: KernelObject | None) -> KernelObject | None:
        """What is left of `have` to be changed into `want`; None: it is removed, or gone along."""
        if want is None:
            return None
        if isinstance(have, IN_SANDBOX):
            if have.container in self._gone:
                return None
            if have.container in self._renamed:
                have = msgspec.structs.replace(have, sandbox=self._renamed[have.container])
        if isinstance(have, Routes):
            return self._still_there(have)
        if isinstance(have, Remote) and have.tunnel in self._closed:
            return None
        if isinstance(have, Name) and isinstance(have.entry, View) and have.entry.container in self._gone:
            # The name service listens in the namespace that goes.
            return None
        return None if _is_rebuilt(want, have) else have

    def goes_along(self, have: KernelObject) -> bool:
        """Routes need no removal of their own when their sandbox or interface goes, nor remotes when the tunnel is.
        Settings of a sandbox go with it and never alone."""
        if isinstance(have, Remote):
            return have.tunnel in self._closed
        if isinstance(have, Sysctls):
            return True
        if not isinstance(have, Routes):
            return False
        return have.container in self._gone or self._still_there(have) is None

    def _still_there(self, have: Routes) -> Routes | None:
        families = {
            family: route
            for family, route in (("ipv4", have.ipv4), ("ipv6", have.ipv6))
            if route is not None and (have.container, route[1]) not in self._unplugged
        }
        others = tuple(route for route in have.others if (have.container, route[2]) not in self._unplugged)
        if not families and not others:
            return None
        return Routes(container=have.container, sandbox=have.sandbox, others=others, **families)


def _is_rebuilt(want: KernelObject, have: KernelObject) -> bool:
    """`have` cannot be changed into `want` in place: its wires, or the namespace itself, are others."""
    if isinstance(want, Sandbox) and isinstance(have, Sandbox):
        return want.incarnation != have.incarnation
    if isinstance(want, Bridge) and isinstance(have, Bridge):
        return want.device != have.device
    if isinstance(want, Tunnel) and isinstance(have, Tunnel):
        return want != msgspec.structs.replace(have, mtu=want.mtu)
    if isinstance(want, Macvlan):
        return want != have
    if isinstance(want, Port) and isinstance(have, Port):
        return want != msgspec.structs.replace(have, gateways=want.gateways)
    return False


def _differs(want: KernelObject, have: KernelObject) -> bool:
    # A running process keeps the environment it was started with, whatever links say meanwhile.
    return not isinstance(want, Process) and want != have


def _interface(operation: Operation) -> tuple[int, str]:
    """eth2 is made before eth10, so that their kernel indexes ascend too."""
    name = operation.after.interface if isinstance(operation.after, Port | Macvlan) else ""
    return len(name), name


def _untangle(operations: list[Operation]) -> Iterator[Operation]:
    """Order renames of sandboxes so that each new name is free by then, by a detour where names are swapped."""
    renames: dict[str, Operation] = {}
    for operation in operations:
        if operation.verb == "change" and isinstance(operation.before, Sandbox):
            renames[operation.before.name] = operation
    for operation in operations:
        if operation.verb != "change" or not isinstance(operation.before, Sandbox):
            yield operation
        elif operation.before.name in renames:
            yield from _rename(operation, renames)


def _rename(operation: Operation, renames: dict[str, Operation]) -> Iterator[Operation]:
    """The rename, after those that must make room for it."""
    chain = [operation]
    last: Operation | None = None
    while True:
        before, after = chain[-1].before, chain[-1].after
        assert isinstance(before, Sandbox) and isinstance(after, Sandbox)
        del renames[before.name]
        following = renames.get(after.name)
        if following is None:
            if (
                len(chain) > 1
                and isinstance(operation.before, Sandbox)
                and after.name == operation.before.name
            ):
                aside = msgspec.structs.replace(
                    operation.before, name=f"{operation.before.container[:12]}.aside"
                )
                yield Operation(verb="change", before=operation.before, after=aside)
                last = Operation(verb="change", before=aside, after=operation.after)
            break
        chain.append(following)
    yield from reversed(chain[1:] if last else chain)
    if last:
        yield last
