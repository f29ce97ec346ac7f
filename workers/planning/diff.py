"""From what is found to what is wanted: the operations, in an order that can be carried out. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from workers.contract.state import Struct
from workers.planning.objects import Files, KernelObject, Key, Objects, Port, Process, Routes, Sandbox

# Filters stand before traffic can flow and go after it; names answer once what they name can be reached.
RANK = ("element", "bridge", "sandbox", "files", "port", "routes", "name", "process")
IN_SANDBOX = (Files, Port, Routes)


class Operation(Struct, frozen=True, kw_only=True):
    verb: Literal["create", "change", "remove"]
    before: KernelObject | None = None
    after: KernelObject | None = None

    @property
    def key(self) -> Key:
        item = self.after or self.before
        assert item is not None
        return item.key

    def __str__(self) -> str:
        item = self.after if self.after is not None else self.before
        shown = msgspec.json.encode(msgspec.to_builtins(item)).decode()
        return f"{self.verb} {self.key[0]} {shown}"


def diff(wanted: Objects, found: Objects, keys: Iterable[Key] | None = None) -> list[Operation]:
    """Operations for `keys` (all when None) that turn `found` into `wanted`; removals come first."""
    chosen = set(wanted) | set(found) if keys is None else set(keys)
    renamed, replaced = _moves(wanted, found, chosen)
    removals, additions = [], []
    for key in chosen:
        want, have = wanted.get(key), found.get(key)
        if have is not None and have.kind in ("files", "port", "routes"):
            assert isinstance(have, IN_SANDBOX)
            if have.container in replaced:
                removals.append(Operation(verb="remove", before=have))
                have = None
            elif have.container in renamed:
                have = msgspec.structs.replace(have, sandbox=renamed[have.container])
        if want is None and have is not None:
            removals.append(Operation(verb="remove", before=have))
        elif want is not None and have is None:
            additions.append(Operation(verb="create", after=want))
        elif want is not None and have is not None and _differs(want, have):
            additions.append(Operation(verb="change", before=have, after=want))
    removals.sort(key=lambda op: (-RANK.index(op.key[0]), op.key))
    additions.sort(key=lambda op: (RANK.index(op.key[0]), _interface(op), op.key))
    return removals + additions


def _moves(wanted: Objects, found: Objects, keys: set[Key]) -> tuple[dict[str, str], set[str]]:
    """Containers whose sandbox is renamed (to what), and those whose sandbox is replaced by a new one."""
    renamed, replaced = {}, set()
    for key in keys:
        want, have = wanted.get(key), found.get(key)
        if not isinstance(want, Sandbox) or not isinstance(have, Sandbox):
            continue
        if want.incarnation != have.incarnation:
            replaced.add(have.container)
        elif want.name != have.name:
            renamed[have.container] = want.name
    return renamed, replaced


def _differs(want: KernelObject, have: KernelObject) -> bool:
    # A running process keeps the environment it was started with, whatever links say meanwhile.
    return not isinstance(want, Process) and want != have


def _interface(operation: Operation) -> str:
    """eth0 is made before eth1, so that their kernel indexes ascend too."""
    return operation.after.interface if isinstance(operation.after, Port) else ""
