"""Our nftables table through libnftables in this process, as text: 0.3 ms a change, 15 for a run of nft.

Text and not its JSON on the way in: JSON batches have crashed version 1.0.6. JSON on the way out is sound.
"""

import ctypes
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from workers.kernel import table
from workers.kernel.errors import KernelError
from workers.planning.objects import Element, Redirect

Entry = Element | Redirect
"""What is in a set or a map of ours."""

_OUTPUT_JSON = 1 << 4


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise KernelError(
            "The firewall cannot be reached: install the package nftables (libnftables.so.1)."
        ) from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Refused(KernelError):
    """nft said no; nothing of the transaction was done."""


def canonical(name: str, value: object) -> str:
    """An element as listed by nft in JSON, written the one way that `table.VALUES` accepts."""
    if isinstance(value, dict) and "concat" in value:
        return " . ".join(_atom(name, part) for part in value["concat"])
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    if name.startswith("masquerade"):
        # A subnet of one address is listed without its length.
        return f"{value}/{128 if name == 'masquerade6' else 32}"
    return _atom(name, value)


def _atom(name: str, value: object) -> str:
    text = str(value)
    # Of what sets with interfaces hold, addresses have dots and digits only.
    return f'"{text}"' if table.has_interfaces(name) and not table.is_ipv4(text) else text


def _statement(verb: str, entry: Entry) -> str:
    if isinstance(entry, Redirect):
        name, text, whole = entry.map, entry.match, f"{entry.match} : {entry.target}"
    else:
        name, text, whole = entry.set, entry.value, entry.value
    pattern = table.VALUES.get(name)
    if pattern is None or not pattern.fullmatch(whole):
        raise KernelError(f"The firewall has no set '{name}' for the element {whole!r}.")
    # An element of a map is deleted by what it matches, wherever it leads.
    shown = text if verb == "delete" else whole
    return f"{verb} element {table.FAMILY_AND_NAME} {name} {{ {shown} }}\n"


class Ruleset:
    """A kept libnftables context of the namespace in which it was made."""

    def __init__(self) -> None:
        self._library = _load()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise KernelError(
                "The firewall cannot be reached: the kernel gave no netlink socket for nftables."
            )
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        self._library.nft_ctx_free(self._context)

    def _run(self, text: str, flags: int = 0) -> str:
        if not text:
            return ""
        self._library.nft_ctx_output_set_flags(self._context, flags)
        failed = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        error: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            lines = error.decode(errors="replace").splitlines() or ["no reason given"]
            reason = lines[0].removeprefix("Error: ").rstrip(".")
            raise Refused(f"The firewall refused a change: {reason}.")
        return output.decode()

    def _list(self) -> list[dict[str, Any]] | None:
        """The objects of our table; None: there is no table."""
        tables = json.loads(self._run("list tables inet", _OUTPUT_JSON))["nftables"]
        if not any(entry.get("table", {}).get("name") == "netadmin" for entry in tables):
            return None
        listing = json.loads(self._run(f"list table {table.FAMILY_AND_NAME}", _OUTPUT_JSON))
        found: list[dict[str, Any]] = listing["nftables"]
        return found

    def entries(self) -> list[Entry]:
        """All elements of our sets and maps; none where the table is missing."""
        return _read_entries(self._list() or [])

    def ensure(self) -> bool:
        """Our table is there with this version's text, and nobody changed it since it was made; another one is
        replaced, its elements kept. Whether it had to be."""
        found = self._list() or []
        if {table.VERSION_CHAIN, _seal(found)} <= {
            entry["chain"]["name"] for entry in found if "chain" in entry
        }:
            return False
        kept = "".join(_statement("add", entry) for entry in _read_entries(found))
        self._run(table.DELETE + table.TEXT + kept)
        # Only nft itself says how it lists what it was given; that is kept where the table is.
        self._run(f"add chain {table.FAMILY_AND_NAME} {_seal(self._list() or [])}\n")
        return True

    def apply(self, add: Sequence[Entry], remove: Sequence[Entry]) -> None:
        """Change elements in one transaction; what is there already or gone already is no error."""
        added = "".join(_statement("add", element) for element in add)
        # Added before it is deleted: deleting what is missing would refuse the whole transaction.
        gone = "".join(_statement("add", element) + _statement("delete", element) for element in remove)
        try:
            self._run(gone + added)
        except Refused:
            if not remove:
                raise
            # libnftables, not the kernel, refuses a subnet that overlaps one going in the same transaction.
            # Then what goes and what comes are two transactions.
            present = {element.key for element in self.entries()}
            leaving = "".join(_statement("delete", element) for element in remove if element.key in present)
            self._run(leaving)
            self._run(added)

    def remove(self) -> bool:
        """Remove our table with everything in it; False: there was none."""
        if self._list() is None:
            return False
        self._run(table.DELETE)
        return True


_SEAL = "made_"
_VARIABLE = ("handle", "elem", "packets", "bytes")
"""What differs between two listings of a table that nobody changed."""


def _seal(listing: Iterable[dict[str, Any]]) -> str:
    """The name of the chain that says what the sets, chains and rules of the table were when it was made."""
    lasting = [
        _without_variables(entry)
        for entry in listing
        if "metainfo" not in entry and not entry.get("chain", {}).get("name", "").startswith(_SEAL)
    ]
    return _SEAL + hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:12]


def _without_variables(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_variables(each) for name, each in value.items() if name not in _VARIABLE}
    return [_without_variables(each) for each in value] if isinstance(value, list) else value


def _read_entries(listing: Iterable[dict[str, Any]]) -> list[Entry]:
    found: list[Entry] = []
    for entry in listing:
        content = entry.get("set") or entry.get("map") or {}
        name = content.get("name", "")
        for value in content.get("elem", []) if name in table.VALUES else ():
            if name in table.MAPS:
                match, target = (canonical(name, part) for part in value)
                if table.VALUES[name].fullmatch(f"{match} : {target}"):
                    found.append(Redirect(map=name, match=match, target=target))
                continue
            text = canonical(name, value)
            if table.VALUES[name].fullmatch(text):
                found.append(Element(set=name, value=text))
    return found
