"""Finding networks, containers and endpoints, and what they look like to a reader."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from apps.common.errors import Invalid, NotFound
from apps.common.statements import select_once
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.ipam.models import Subnet
from apps.networks.models import Endpoint, Membership, Network

Naming = Callable[[int, str, str], AbstractContextManager[None]]
"""Of the place in a list, a container and a network: says of an error that it is about these."""
M = TypeVar("M", Network, Container, Endpoint)
C = TypeVar("C", Network, Container)
_FULL_ID = re.compile(r"[0-9a-f]{64}\Z")
_PREFIX = re.compile(r"[0-9a-f]+\Z")


def pick(
    candidates: Callable[[], QuerySet[M]],
    term: str,
    noun: str,
    find_named: Callable[[str], Sequence[M]] | None = None,
) -> M:
    """The one object that `term` means: its full id, else its name, else a unique beginning of its id.

    Of several of that name on different hosts it is the one on the server's own. `find_named`: those of the
    `candidates` that have a name; None where none has.
    """
    if _FULL_ID.match(term) and (exact := candidates().filter(pk=term).first()):
        return exact
    by_name = find_named(term) if find_named else ()
    if len(by_name) > 1:
        by_name = [one for one in by_name if _is_local(one)] or by_name
    found = by_name or (list(candidates().filter(pk__startswith=term)[:3]) if _PREFIX.match(term) else [])
    if len(found) == 1:
        return found[0]
    if found:
        kind = "name" if by_name else "beginning of an id"
        raise Invalid(
            "ambiguous",
            f"{term!r} is the {kind} of several {noun}s; use the full id or name a host.",
            noun,
            {
                "noun": noun,
                "term": term,
                "matches": str(len(found)),
                "by": "name" if by_name else "ID prefix",
            },
        )
    raise _missing(noun, term)


def _missing(noun: str, term: str) -> NotFound:
    return NotFound(f"{noun}_not_found", f"There is no {noun} {term!r}.", noun, {"noun": noun, "term": term})


def _is_local(found: Network | Container | Endpoint) -> bool:
    """It is on the server's own host."""
    return found.host is not None and found.host.name == settings.ENVIRONMENT.host_name


def find_network(term: str, host: Host | None = None) -> Network:
    """On that host; networks that span hosts are on every one."""
    if host is None:
        return pick(_networks, term, "network", _networks_named)
    named = partial(_networks_named_on, host.pk)
    return pick(lambda: _networks().filter(available_on(host)), term, "network", named)


def _networks() -> QuerySet[Network]:
    return Network.objects.select_related("host")


@select_once
def _networks_named(name: str) -> QuerySet[Network]:
    return _networks().filter(name=name)


@select_once
def _networks_named_on(host: UUID, name: str) -> QuerySet[Network]:
    return _networks().filter(available_on(host), name=name)


def available_on(host: Host | UUID) -> Q:
    """The host's own networks, and those that span hosts."""
    return Q(host=host) | Q(host=None)


def find_container(term: str, host: Host | None = None) -> Container:
    if host is None:
        return pick(_containers, term, "container", _containers_named)
    named = partial(_containers_named_on, host.pk)
    return pick(lambda: _containers().filter(host=host), term, "container", named)


def _containers() -> QuerySet[Container]:
    return Container.objects.select_related("host")


@select_once
def _containers_named(name: str) -> QuerySet[Container]:
    return _containers().filter(name=name)


@select_once
def _containers_named_on(host: UUID, name: str) -> QuerySet[Container]:
    return _containers().filter(host=host, name=name)


def find_endpoint(term: str) -> Endpoint:
    return pick(lambda: Endpoint.objects.select_related("network", "container", "host"), term, "endpoint")


def current(found: C, host: Host) -> C:
    """What was found before `host` was locked for a change, as it is now. Not for what is then saved whole: the host's
    own reports need no revision.
    """
    return all_current([found], {host.pk: host})[found.pk]


def all_current(found: Iterable[C], hosts: Mapping[UUID, Host]) -> dict[str, C]:
    """`current` for many of one sort, by id; one query where a change came between, and none where not."""
    known = {one.pk: one for one in found}
    stale = [one for one in known.values() if not _is_current(one, hosts)]
    if stale:
        again = {one.pk: one for one in _AGAIN[type(stale[0])](tuple(one.pk for one in stale))}
        for one in stale:
            if one.pk not in again:
                raise _missing(str(one._meta.model_name), one.pk)
        known |= again
    return known


def _is_current(found: Network | Container, hosts: Mapping[UUID, Host]) -> bool:
    """No change came between: all of them raise the revision first, and it was read together with what was found."""
    locked = found.host and hosts.get(found.host.pk)
    return bool(found.host and locked and found.host.revision + 1 == locked.revision)


@select_once
def _networks_again(keys: tuple[str, ...]) -> QuerySet[Network]:
    return _networks().filter(pk__in=keys).order_by()


@select_once
def _containers_again(keys: tuple[str, ...]) -> QuerySet[Container]:
    return _containers().filter(pk__in=keys).order_by()


_AGAIN: dict[type[Network | Container], Callable[[tuple[str, ...]], list[Any]]] = {
    Network: _networks_again,
    Container: _containers_again,
}


def find_pair(network: str, container: str, host: Host | None = None) -> tuple[Network, Container]:
    """A network as it is on the container's host; of several of a name, that on the network's host counts."""
    named = find_network(network, host)
    if named.host is not None:
        try:
            return named, find_container(container, named.host)
        except NotFound:
            if host is not None:
                raise
    found = find_container(container, host)
    return find_network(network, found.host), found


def find_pairs(
    terms: Sequence[tuple[str, str]], host: Host | None, naming: Naming
) -> list[tuple[Network, Container]]:
    """`find_pair` for many; a few queries for each network, and more only for who is not meant by a whole id or name.

    `naming` says of an error which of the list it is about.
    """
    networks: dict[str, Network] = {}
    for position, (network, container) in enumerate(terms):
        if network not in networks:
            with naming(position, container, network):
                networks[network] = find_network(network, host)
    by_scope: dict[Host | None, set[str]] = {}
    for network, container in terms:
        by_scope.setdefault(networks[network].host or host, set()).add(container)
    known = {scope: _clear_containers(wanted, scope) for scope, wanted in by_scope.items()}
    pairs = []
    for position, (network, container) in enumerate(terms):
        named = networks[network]
        found = known[named.host or host].get(container)
        if found is not None:
            pairs.append((named, found))
            continue
        with naming(position, container, network):
            pairs.append(find_pair(network, container, host))
    return pairs


def _clear_containers(terms: Collection[str], host: Host | None) -> dict[str, Container]:
    """Those that are meant by their whole id or the only one of that name."""
    candidates = Container.objects.select_related("host").order_by()
    if host is not None:
        candidates = candidates.filter(host=host)
    found: dict[str, Container] = {}
    doubtful: set[str] = set()
    for one in candidates.filter(name__in=list(terms)):
        if one.name in found:
            doubtful.add(one.name)
        found[one.name] = one
    clear = {term: one for term, one in found.items() if term not in doubtful}
    ids = [term for term in terms if _FULL_ID.match(term)]
    return clear | (candidates.in_bulk(ids) if ids else {})


def subnets_of(networks: list[str]) -> dict[str, list[Subnet]]:
    """Subnets by network id, in order; one query whatever the number of networks."""
    found: dict[str, list[Subnet]] = {network: [] for network in networks}
    for subnet in _subnets_of(tuple(networks)):
        found[subnet.holder].append(subnet)
    return found


@select_once
def _subnets_of(networks: tuple[str, ...]) -> QuerySet[Subnet]:
    return Subnet.objects.filter(holder__in=networks).order_by("position")


def attached(endpoints: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
    """Endpoints that are meant to stay, with all that an answer about them shows."""
    return (
        endpoints.filter(removing=False)
        .select_related("network", "container", "host")
        .prefetch_related("aliases", "links")
    )


def in_use() -> Q:
    """Endpoints of containers that run or are not down yet."""
    return Q(container__wanted=Container.Wanted.RUNNING) | Q(
        container__state__in=[Container.State.RUNNING, Container.State.STARTING, Container.State.STOPPING]
    )


def dns_names(endpoint: Endpoint) -> tuple[str, ...]:
    """What others on its network may call the endpoint; nothing on predefined networks."""
    if endpoint.network.predefined:
        return ()
    container = endpoint.container
    aliases = [alias.name for alias in endpoint.aliases.all()]
    return tuple(dict.fromkeys([container.name, *aliases, container.id[:12], container.hostname]))


def state_of(row: Network | Endpoint) -> str:
    """Where its host is with it, or the hosts of an overlay together."""
    told: list[Network | Endpoint | Membership] = [row]
    if isinstance(row, Network) and row.spans_hosts:
        told += row.memberships.all()
    if row.removing:
        return "removing"
    if any(each.error for each in told):
        return "failed"
    return "active" if all(each.applied for each in told) else "pending"
