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
    held: list[PublishedPort] = []
    for port in () if container.host_network else _ports_of(container.pk):
        others = [one for one in held if one.protocol == port.protocol]
        if not (container.running and port.host_port):
            port.host_port = _choose(port, others)
            port.save(update_fields=["host_port"])
        held.append(port)


@select_once
def _ports_of(container: str) -> QuerySet[PublishedPort]:
    return PublishedPort.objects.filter(container=container)


def _choose(port: PublishedPort, others: Sequence[PublishedPort]) -> int:
    """The first free host port of those that were asked for, or any automatic one; `others`: of the same container."""
    if port.first:
        candidates = range(port.first, port.last + 1)
        taken = _taken(port, candidates, others)
        free = [number for number in candidates if number not in taken]
        if free:
            return free[0]
        raise _refusal(port, taken)
    # From anywhere, so that one which another program of the host holds is not tried again and again.
    start = randbelow(len(AUTOMATIC))
    order: list[int] = [*AUTOMATIC[start:], *AUTOMATIC[:start]]
    for position in range(0, len(order), STRIDE):
        window = order[position : position + STRIDE]
        taken = _taken(port, window, others)
        for number in window:
            if number not in taken:
                return number
    raise Conflict(
        "port_taken", f"All automatic ports of host {port.host.name} are already allocated.", "ports"
    )


def _taken(
    port: PublishedPort, candidates: Sequence[int], others: Sequence[PublishedPort]
) -> dict[int, PublishedPort]:
    """Those of the candidates that somebody holds, and who."""
    holders = (
        PublishedPort.objects.filter(
            _held(), host=port.host_id, protocol=port.protocol, host_port__in=candidates
        )
        .exclude(container=port.container_id)
        .select_related("container")
    )
    return {
        other.host_port: other
        for other in (*holders, *others)
        if other.host_port is not None and overlap(port.address, other.address)
    }


def _held() -> Q:
    """Ports of containers that run, or are not down yet."""
    up = [
        Container.State.RUNNING,
        Container.State.STARTING,
        Container.State.STOPPING,
        Container.State.REMOVING,
    ]
    return Q(container__wanted=Container.Wanted.RUNNING) | Q(container__state__in=up)


def _refusal(port: PublishedPort, taken: dict[int, PublishedPort]) -> Conflict:
    address = f"[{port.address}]" if ":" in port.address else port.address or "0.0.0.0"
    holder = taken[port.first].container.name
    asked = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
    cause = f"Bind for {address}:{asked} failed: port is already allocated"
    return Conflict(
        "port_taken",
        f"{cause} to container {holder} ({port.protocol}); stop that one or publish under another port.",
        "ports",
        {"cause": cause},
    )
