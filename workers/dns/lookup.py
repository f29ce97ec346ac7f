"""Who answers to a name: the index of holders by network, and the order in which networks are asked.

Pure: no sockets, clocks or files. Names are compared as bytes with ASCII letters in lower case, as DNS does
(RFC 4343), so a holder's name in UTF-8 is found by the same bytes.
"""

import ipaddress
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from workers.contract.names import Attachment, Holder, View

A, PTR, AAAA, ANY = 1, 12, 28, 255
ID_DIGITS = 12

Step = Literal["link", "name", "alias", "reverse"]
Labels = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network knows of a name: `records` is (type, rdata in wire form); none: an empty NOERROR."""

    step: Step
    attachment: Attachment
    records: tuple[tuple[int, bytes], ...]


class Record:
    """One holder as the index keeps it: names folded, addresses packed."""

    __slots__ = ("addresses", "container", "first", "holder", "names", "rank")

    def __init__(self, holder: Holder) -> None:
        """Raise ValueError with a sentence when an address is none."""
        self.holder = holder
        self.rank = (holder.order, holder.endpoint)
        self.names = tuple(dict.fromkeys(fold(name) for name in holder.names if name))
        self.first = self.names[0] if self.names else b""
        self.container = fold(holder.container)
        self.addresses: tuple[tuple[int, bytes], ...] = tuple(
            (kind, _pack(text, version, holder))
            for kind, version, text in ((A, 4, holder.ipv4), (AAAA, 6, holder.ipv6))
            if text
        )


class Zone:
    """The holders of one network. `stamp` rises with every change, so that kept answers are known as old."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.stamp = 0
        self.scopes = 0
        self._names: dict[bytes, list[Record]] = {}
        self._containers: dict[bytes, list[Record]] = {}
        self._addresses: dict[bytes, list[Record]] = {}

    def __bool__(self) -> bool:
        return bool(self.scopes or self._containers)

    def add(self, record: Record) -> None:
        self.stamp += 1
        for index, key in self._keys(record):
            insort(index.setdefault(key, []), record, key=lambda other: other.rank)

    def remove(self, record: Record) -> None:
        self.stamp += 1
        for index, key in self._keys(record):
            index[key].remove(record)
            if not index[key]:
                del index[key]

    def named(self, name: bytes) -> list[Record]:
        return self._names.get(name, [])

    def targeted(self, target: bytes) -> list[Record]:
        """Holders that a link means: by any of their names, else by the full id of their container."""
        return self._names.get(target) or self._containers.get(target, [])

    def addressed(self, address: bytes) -> list[Record]:
        return self._addresses.get(address, [])

    def _keys(self, record: Record) -> Iterator[tuple[dict[bytes, list[Record]], bytes]]:
        for name in record.names:
            yield self._names, name
        for _, address in record.addresses:
            yield self._addresses, address
        yield self._containers, record.container


@dataclass(frozen=True, slots=True)
class Reach:
    """One attachment of a sandbox, ready to be asked."""

    attachment: Attachment
    zone: Zone
    name: bytes
    links: dict[bytes, tuple[bytes, ...]]

    def find(self, text: bytes) -> tuple[Step, list[Record]] | None:
        """Holders of `text` on this network, links first; None: not known here."""
        if text in self.links:
            # A link alias hides a plain name of the same text, even while its target is away.
            found = (self.zone.targeted(target) for target in self.links[text])
            return next((("link", records) for records in found if records), None)
        records = self.zone.named(text)
        if not records:
            return None
        own = any(text in (record.first, record.container[:ID_DIGITS]) for record in records)
        return ("name" if own else "alias"), records


class Scope:
    """What one sandbox may see: its networks in the order in which they are asked."""

    def __init__(self, view: View, zones: list[Zone]) -> None:
        self.view = view
        self._zones = zones
        self.reaches = [
            Reach(attachment, zone, fold(attachment.network_name), _links(attachment))
            for attachment, zone in zip(view.attachments, zones, strict=True)
        ]

    def stamp(self) -> int:
        """Differs from an earlier value exactly when a network in scope has changed since."""
        # A loop, and not a sum over a generator: this is asked at each wake-up.
        stamp = 0
        for zone in self._zones:
            stamp += zone.stamp
        return stamp

    def resolve(self, labels: Labels, kind: int) -> Answer | None:
        """Answer a question (labels in lower case); None: nothing here knows the name."""
        found = self._find(labels)
        if found is None:
            return self._resolve_address(labels, kind)
        reach, step, records = found
        # A known name has no more than addresses: any other type is empty here. Asking outside instead could
        # bring an NXDOMAIN, with which some resolvers forget the address as well.
        return Answer(step, reach.attachment, _addresses(records, kind))

    def _find(self, labels: Labels) -> tuple[Reach, Step, list[Record]] | None:
        if any(b"." in label for label in labels):
            return None
        text = b".".join(labels)
        for reach in self.reaches:
            if found := reach.find(text):
                return reach, *found
        for cut in range(len(labels) - 1, 0, -1):
            text, network = b".".join(labels[:cut]), b".".join(labels[cut:])
            for reach in self.reaches:
                if reach.name == network and (found := reach.find(text)):
                    return reach, *found
        return None

    def _resolve_address(self, labels: Labels, kind: int) -> Answer | None:
        address = unreverse(labels)
        if address is None:
            return None
        for reach in self.reaches:
            for record in reach.zone.addressed(address):
                for name in record.holder.names:
                    target = encode_name(f"{name}.{reach.attachment.network_name}".encode())
                    if target:
                        records = ((PTR, target),) if kind in (PTR, ANY) else ()
                        return Answer("reverse", reach.attachment, records)
        return None


class Zones:
    """All holders and scopes of a host. A change costs what its names cost, not what the network does."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.scopes: dict[str, Scope] = {}
        self._zones: dict[str, Zone] = {}

    def put_holder(self, record: Record) -> None:
        self.drop_holder(record.holder.endpoint)
        self.records[record.holder.endpoint] = record
        self._zone(record.holder.network).add(record)

    def drop_holder(self, endpoint: str) -> None:
        if record := self.records.pop(endpoint, None):
            zone = self._zone(record.holder.network)
            zone.remove(record)
            self._release(zone)

    def put_view(self, view: View) -> Scope:
        zones = [self._zone(attachment.network) for attachment in view.attachments]
        for zone in zones:
            zone.scopes += 1
        self.drop_view(view.container)
        self.scopes[view.container] = scope = Scope(view, zones)
        return scope

    def drop_view(self, container: str) -> None:
        if scope := self.scopes.pop(container, None):
            for reach in scope.reaches:
                reach.zone.scopes -= 1
                self._release(reach.zone)

    def _zone(self, network: str) -> Zone:
        return self._zones.setdefault(network, Zone(network))

    def _release(self, zone: Zone) -> None:
        if not zone:
            self._zones.pop(zone.network, None)


def fold(text: str) -> bytes:
    return text.encode().lower()


def encode_name(text: bytes) -> bytes | None:
    """A dotted name in wire form; None if DNS cannot carry it (RFC 1035 2.3.4: 63 a label, 255 in all)"""
    labels = text.split(b".")
    wire = b"".join(bytes((len(label) & 0xFF,)) + label for label in labels) + b"\0"
    fits = len(wire) <= 255 and all(0 < len(label) <= 63 for label in labels)
    return wire if fits else None


def unreverse(labels: Labels) -> bytes | None:
    """The packed address that a name below in-addr.arpa or ip6.arpa stands for; None: it stands for none."""
    digits = [label.decode("ascii", "replace") for label in reversed(labels[:-2])]
    try:
        if labels[-2:] == (b"in-addr", b"arpa") and len(digits) == 4:
            return ipaddress.IPv4Address(".".join(digits)).packed
        nibbles = len(digits) == 32 and all(len(digit) == 1 for digit in digits)
        if labels[-2:] == (b"ip6", b"arpa") and nibbles:
            return bytes.fromhex("".join(digits))
    except ValueError:
        return None
    return None


def _addresses(records: list[Record], kind: int) -> tuple[tuple[int, bytes], ...]:
    wanted = (A, AAAA) if kind == ANY else (kind,)
    return tuple(
        dict.fromkeys(
            (family, packed) for record in records for family, packed in record.addresses if family in wanted
        )
    )


def _links(attachment: Attachment) -> dict[bytes, tuple[bytes, ...]]:
    links: dict[bytes, tuple[bytes, ...]] = {}
    for link in attachment.links:
        alias = fold(link.alias)
        links[alias] = (*links.get(alias, ()), fold(link.target))
    return links


def _pack(text: str, version: int, holder: Holder) -> bytes:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise ValueError(
            f"The IPv{version} address {text!r} of endpoint {holder.endpoint} is no IPv{version} address;"
            " send it without prefix length."
        )
    return address.packed
