"""Asking hosts what is reached from inside their sandboxes, all of them at once and within bounds."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Prefetch, QuerySet

from apps.common.errors import DomainError, Invalid
from apps.connectivity.reasons import (
    Echo,
    Lookup,
    Step,
    address_of,
    find_common,
    has_name_service,
    is_address,
    judge_echo,
    judge_lookup,
    walk,
)
from apps.containers.models import Container
from apps.delivery.questions import ask
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import attached

MOST = 64
"""Containers of a matrix: 4032 pairs."""
WAIT = 1.0
"""Seconds after which an echo counts as lost."""
PATIENCE = 4.0
"""Seconds that a host gets for an answer."""
T = TypeVar("T")
Pair = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """Whether one container reaches another, or an address, and why not."""

    source: Container
    target: Container | None
    to: str
    echo: Echo | None
    lookup: Lookup | None
    path: list[Step]

    @property
    def reachable(self) -> bool:
        return bool(self.echo and self.echo.received)

    @property
    def fault(self) -> Step | None:
        """The first thing that is not right; names do not matter to who is reached by address."""
        return next((step for step in self.path if not step.ok), None)


def with_way() -> QuerySet[Container]:
    """Containers with all that a verdict needs; a constant number of queries."""
    endpoints = attached(Endpoint.objects.all()).select_related("network__host", "container", "host")
    return Container.objects.select_related("host").prefetch_related(Prefetch("endpoints", endpoints))


def check(source: Container, to: str, target: Container | None) -> Verdict:
    """Measure one way; `to` is what the person called the target: a name, an alias or an address."""
    address = address_of(source, target) if target else to if is_address(to) else None
    path = walk(source, target) if target else []
    name = target.name if target else to
    lookup = None if is_address(name) else _look_up(source, name)
    if target is None and lookup and lookup.answers:
        address = lookup.answers[0]
    echo = _measure_one(source, address) if address else None
    if echo is not None:
        path.append(judge_echo(echo, source))
    if lookup is not None:
        common = find_common(source, target) if target else None
        served = not common[0].network.predefined if common else has_name_service(source)
        path.append(judge_lookup(lookup, address if common else None, served))
    return Verdict(source, target, to, echo, lookup, path)


def resolve(source: Container, name: str) -> Lookup:
    """What the name service in the container's sandbox answers, and by which step."""
    if source.state != Container.State.RUNNING:
        return Lookup(name, error=f"Container {source.name} does not run; start it first.")
    return _look_up(source, name)


def _look_up(source: Container, name: str) -> Lookup:
    return _ask_names(source.host, [(source.pk, name)])[0]


def _measure_one(source: Container, address: str) -> Echo:
    found = _ask_echoes(source.host, {source.name: [address]}, count=3)
    return found.get((source.name, address), Echo(address, error="not measured"))


def _ask_names(host: Host, asked: list[Pair]) -> list[Lookup]:
    """`asked`: (container id, name) of sandboxes on the host."""
    arguments = {"asked": [{"container": pk, "name": name} for pk, name in asked], "type": "A"}
    try:
        told = ask(host, "explain_names", arguments, PATIENCE + 5)["answers"]
    except DomainError as error:
        return [Lookup(name, error=error.message) for _, name in asked]
    return [
        Lookup(
            name,
            step=str(each.get("step") or ""),
            # Each with its type before it, "A 172.18.0.2".
            answers=tuple(text.partition(" ")[2] for text in each.get("answers") or () if text[0] == "A"),
            rcode=str(each.get("rcode") or ""),
            error=str(each.get("error") or ""),
        )
        for (_, name), each in zip(asked, told, strict=True)
    ]


def _ask_echoes(host: Host, wanted: Mapping[str, list[str]], count: int) -> dict[Pair, Echo]:
    """By (sandbox, address); `wanted`: addresses by sandbox on the host."""
    sources = [{"sandbox": sandbox, "addresses": addresses} for sandbox, addresses in wanted.items()]
    try:
        told = ask(host, "measure", {"sources": sources, "count": count, "timeout": WAIT}, PATIENCE)
    except DomainError as error:
        return {
            (sandbox, address): Echo(address, error=error.message)
            for sandbox, addresses in wanted.items()
            for address in addresses
        }
    return {(sandbox, each["address"]): Echo(**each) for sandbox, answers in told.items() for each in answers}


def measure_matrix(containers: list[Container]) -> tuple[list[Verdict], float]:
    """Every ordered pair, and how many seconds that took. Invalid when there are too many."""
    if len(containers) > MOST:
        raise Invalid(
            "too_many",
            f"These are too many containers to measure each with each; choose at most {MOST}.",
            "containers",
        )
    began = time.monotonic()
    pairs = [(one, other) for one in containers for other in containers if one.pk != other.pk]
    echoes = _gather(containers, lambda host, own: _ask_echoes(host, _addresses(own, containers), count=1))
    lookups = _gather(containers, lambda host, own: _names(host, own, containers))
    return [_judge(one, other, echoes, lookups) for one, other in pairs], time.monotonic() - began


def _gather(
    containers: list[Container], asking: Callable[[Host, list[Container]], dict[Pair, T]]
) -> dict[Pair, T]:
    """What the hosts of running containers answer, asked at the same time."""
    by_host: dict[Host, list[Container]] = {}
    for each in containers:
        if each.state == Container.State.RUNNING and not each.host_network and each.host.state == "online":
            by_host.setdefault(each.host, []).append(each)
    found: dict[Pair, T] = {}
    with ThreadPoolExecutor(max_workers=16) as askers:
        for answered in askers.map(lambda item: asking(*item), by_host.items()):
            found |= answered
    return found


def _addresses(own: Iterable[Container], all_of_them: list[Container]) -> dict[str, list[str]]:
    found = {}
    for source in own:
        # Who does not run is not asked: everybody would wait for an answer that cannot come.
        others = [
            each for each in all_of_them if each.pk != source.pk and each.state == Container.State.RUNNING
        ]
        targets = [address_of(source, each) for each in others]
        found[source.name] = sorted({address for address in targets if address})
    return found


def _names(host: Host, own: list[Container], all_of_them: list[Container]) -> dict[Pair, Lookup]:
    """By (id of the source, name); only where a name service should know it."""
    asked = []
    for source in own:
        for target in all_of_them:
            common = find_common(source, target) if target.pk != source.pk else None
            if common and not common[0].network.predefined and target.state == Container.State.RUNNING:
                asked.append((source.pk, target.name))
    if not asked:
        return {}
    return dict(zip(asked, _ask_names(host, asked), strict=True))


def _judge(
    source: Container, target: Container, echoes: Mapping[Pair, Echo], lookups: Mapping[Pair, Lookup]
) -> Verdict:
    path = walk(source, target)
    echo = echoes.get((source.name, address_of(source, target) or ""))
    lookup = lookups.get((source.pk, target.name))
    if echo is not None:
        path.append(judge_echo(echo, source))
    if lookup is not None:
        path.append(judge_lookup(lookup, address_of(source, target), served=True))
    return Verdict(source, target, target.name, echo, lookup, path)


def list_links(network: Network) -> list[dict[str, Any]]:
    """What of a network is in the kernels of its hosts: {host, links, error} each."""
    hosts = (
        [network.host] if network.host else [each.host for each in network.memberships.select_related("host")]
    )

    def asking(host: Host) -> dict[str, Any]:
        try:
            told = ask(host, "list_links", {"network": network.pk}, PATIENCE)
        except DomainError as error:
            return {"host": host.name, "links": [], "error": error.message}
        return {"host": host.name, "links": told["links"], "error": ""}

    with ThreadPoolExecutor(max_workers=16) as askers:
        return list(askers.map(asking, sorted(hosts, key=lambda host: host.name)))


def read_interfaces(containers: list[Container]) -> dict[str, list[dict[str, Any]]]:
    """What interfaces have counted, by container id; silent hosts and stopped containers are left out."""

    def asking(host: Host, own: list[Container]) -> dict[Pair, list[dict[str, Any]]]:
        try:
            told = ask(host, "read_interfaces", {"sandboxes": [each.name for each in own]}, PATIENCE)
        except DomainError:
            return {}
        return {(each.pk, ""): told[each.name] for each in own if each.name in told}

    return {pk: found for (pk, _), found in _gather(containers, asking).items()}
