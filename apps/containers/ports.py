"""Published ports: how people write them, which host port each gets, and who holds it.

Host ports are held while a container runs: `allot` gives them at its start, under the lock of the host.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from secrets import randbelow

from django.db.models import Q, QuerySet

from apps.common.errors import Conflict, Invalid
from apps.common.statements import select_once
from apps.containers.models import Container, PublishedPort
from workers.contract.publishing import overlap

MOST = 1024
"""Ports that one container may publish."""
AUTOMATIC = range(61000, 65536)
"""Dynamic ports (RFC 6335) above those that Linux gives to outgoing connections (ip_local_port_range)."""
STRIDE = 64
"""Automatic ports that are looked at together."""
PROTOCOLS = ("tcp", "udp")
_NUMBERS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A port that shall be published."""

    port: int
    protocol: str = "tcp"
    address: str = ""
    """Of the host, in canonical spelling; empty: the network's default, else all."""
    first: int = 0
    last: int = 0
    """The host port is one of these, the first free one; 0: chosen."""


def read(texts: Iterable[str]) -> list[Wanted]:
    """Ports as people write them for Docker: [[ADDRESS:]HOST_PORT:]PORT[/PROTOCOL], ranges FIRST-LAST."""
    found = [wanted for text in texts for wanted in _read(text)]
    if len(found) > MOST:
        raise Invalid("bad_port", f"A container publishes at most {MOST} ports, not {len(found)}.", "ports")
    for index, wanted in enumerate(found):
        if wanted in found[:index]:
            raise Invalid("port_twice", f"The port {write(wanted)} is published twice.", "ports")
    return found


def write(wanted: "Wanted | PublishedPort") -> str:
    """As people write it; the inverse of `read` for one port."""
    address = f"[{wanted.address}]" if ":" in wanted.address else wanted.address
    host = "" if not wanted.first else str(wanted.first)
    if wanted.last > wanted.first:
        host += f"-{wanted.last}"
    before = f"{address}:{host}:" if address else f"{host}:" if host else ""
    return f"{before}{wanted.port}/{wanted.protocol}"


def _read(text: str) -> list[Wanted]:
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise Invalid("bad_port", f"Only ports of tcp and udp can be published, not {text!r}.", "ports")
    before, _, inside = body.rpartition(":")
    address, _, host = before.rpartition(":")
    first, last = _range(inside, text)
    if not first:
        raise Invalid(
            "bad_port", f"The port {text!r} lacks the container's own: write HOST_PORT:PORT.", "ports"
        )
    host_first, host_last = _range(host, text) if host else (0, 0)
    given = _address(address, text)
    if host_first == 0 or first == last:
        return [
            Wanted(port=port, protocol=protocol, address=given, first=host_first, last=host_last)
            for port in range(first, last + 1)
        ]
    if host_last - host_first != last - first:
        raise Invalid(
            "bad_port", f"The two ranges of {text!r} differ in length; make them the same.", "ports"
        )
    return [
        Wanted(
            port=port,
            protocol=protocol,
            address=given,
            first=host_first + port - first,
            last=host_first + port - first,
        )
        for port in range(first, last + 1)
    ]


def _range(text: str, whole: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    match = _NUMBERS.match(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
    if not 0 <= first <= last <= 65535 or (first == 0 and last > 0):
        raise Invalid(
            "bad_port", f"{text!r} in {whole!r} is no port or range of ports (1 to 65535).", "ports"
        )
    return first, last


def _address(text: str, whole: str) -> str:
    if not text:
        return ""
    try:
        address = ip_address(text[1:-1] if text[0] == "[" and text[-1] == "]" else text)
        if getattr(address, "scope_id", None) or address.is_multicast:
            raise ValueError
        return str(address)
    except ValueError:
        raise Invalid("bad_port", f"{text!r} in {whole!r} is not an address of the host.", "ports") from None


def record(container: Container, ports: Sequence[Wanted]) -> None:
    """Keep what a new container shall publish once it runs."""
    PublishedPort.objects.bulk_create(
        PublishedPort(
            host_id=container.host_id,
            container=container,
            port=wanted.port,
            protocol=wanted.protocol,
            address=wanted.address,
            first=wanted.first,
            last=wanted.last,
        )
        for wanted in ports
    )


def allot(container: Container) -> None:
    """Give each port of a container that starts its host port. One that runs already keeps those it has."""
    holders, given = Holders(container), []
    for port in () if container.host_network else _ports_of(container.pk):
        if not (container.running and port.host_port):
            port.host_port = _choose(port, holders)
            given.append(port)
        holders.add(port)
    if given:
        PublishedPort.objects.bulk_update(given, ["host_port"])


@select_once
def _ports_of(container: str) -> QuerySet[PublishedPort]:
    return PublishedPort.objects.filter(container=container)


class Holders:
    """Who has which ports of a container's host; of the container itself only those that are added.

    The record is asked for STRIDE of them at a time: a container may publish a thousand.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._known: dict[tuple[str, int], dict[int, list[PublishedPort]]] = {}

    def find(self, port: PublishedPort, number: int) -> PublishedPort | None:
        """Who keeps the port from having that number."""
        there = self._stride(port.protocol, number).get(number, ())
        return next((other for other in there if overlap(port.address, other.address)), None)

    def add(self, port: PublishedPort) -> None:
        if port.host_port is not None:
            self._stride(port.protocol, port.host_port).setdefault(port.host_port, []).append(port)

    def _stride(self, protocol: str, number: int) -> dict[int, list[PublishedPort]]:
        first = number - number % STRIDE
        known = self._known.get((protocol, first))
        if known is None:
            known = self._known[protocol, first] = {}
            around = {"protocol": protocol, "host_port__range": (first, first + STRIDE - 1)}
            found = PublishedPort.objects.filter(_held(), host=self._container.host_id, **around)
            for port in found.exclude(container=self._container).select_related("container"):
                if port.host_port is not None:
                    known.setdefault(port.host_port, []).append(port)
        return known


def _choose(port: PublishedPort, holders: Holders) -> int:
    """The first free host port of those that were asked for, or any automatic one."""
    if port.first:
        for number in range(port.first, port.last + 1):
            if holders.find(port, number) is None:
                return number
        raise _refusal(port, holders)
    # From anywhere, so that one which another program of the host holds is not tried again and again.
    start = randbelow(len(AUTOMATIC))
    order: list[int] = [*AUTOMATIC[start:], *AUTOMATIC[:start]]
    for number in order:
        if holders.find(port, number) is None:
            return number
    raise Conflict(
        "port_taken", f"All automatic ports of host {port.host.name} are already allocated.", "ports"
    )


def _held() -> Q:
    """Ports of containers that run, or are not down yet."""
    up = [
        Container.State.RUNNING,
        Container.State.STARTING,
        Container.State.STOPPING,
        Container.State.REMOVING,
    ]
    return Q(container__wanted=Container.Wanted.RUNNING) | Q(container__state__in=up)


def _refusal(port: PublishedPort, holders: Holders) -> Conflict:
    address = f"[{port.address}]" if ":" in port.address else port.address or "0.0.0.0"
    holder = holders.find(port, port.first)
    assert holder is not None
    asked = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
    cause = f"Bind for {address}:{asked} failed: port is already allocated"
    return Conflict(
        "port_taken",
        f"{cause} to container {holder.container.name} ({port.protocol}); stop that one or publish under another port.",
        "ports",
        {"cause": cause},
    )
