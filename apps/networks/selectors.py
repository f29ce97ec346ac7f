"""Finding networks, containers and endpoints, and what they look like to a reader."""

import re
from typing import TypeVar

from django.conf import settings
from django.db.models import Q, QuerySet

from apps.common.errors import Invalid, NotFound
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.ipam.models import Subnet
from apps.networks.models import Endpoint, Membership, Network

M = TypeVar("M", Network, Container, Endpoint)
_FULL_ID = re.compile(r"[0-9a-f]{64}\Z")
_PREFIX = re.compile(r"[0-9a-f]+\Z")


def pick(candidates: QuerySet[M], term: str, noun: str, *, names: bool = True) -> M:
    """The one object that `term` means: its full id, else its name, else a unique beginning of its id.

    Of several of that name on different hosts it is the one on the server's own.
    """
    if _FULL_ID.match(term) and (exact := candidates.filter(pk=term).first()):
        return exact
    by_name = list(candidates.filter(**{"name": term})) if names else []
    if len(by_name) > 1:
        by_name = [one for one in by_name if _is_local(one)] or by_name
    found = by_name or (list(candidates.filter(pk__startswith=term)[:3]) if _PREFIX.match(term) else [])
    if len(found) == 1:
        return found[0]
    facts = {"noun": noun, "term": term}
    if found:
        kind = "name" if by_name else "beginning of an id"
        raise Invalid(
            "ambiguous",
            f"{term!r} is the {kind} of several {noun}s; use the full id or name a host.",
            noun,
            facts | {"matches": str(len(found)), "by": "name" if by_name else "ID prefix"},
        )
    raise NotFound(f"{noun}_not_found", f"There is no {noun} {term!r}.", noun, facts)


def _is_local(found: Network | Container | Endpoint) -> bool:
    """It is on the server's own host."""
    return found.host is not None and found.host.name == settings.ENVIRONMENT.host_name


def find_network(term: str, host: Host | None = None) -> Network:
    """On that host; networks that span hosts are on every one."""
    candidates = Network.objects.select_related("host")
    return pick(candidates.filter(available_on(host)) if host else candidates, term, "network")


def available_on(host: Host) -> Q:
    """The host's own networks, and those that span hosts."""
    return Q(host=host) | Q(host=None)


def find_container(term: str, host: Host | None = None) -> Container:
    candidates = Container.objects.select_related("host")
    return pick(candidates.filter(host=host) if host else candidates, term, "container")


def find_endpoint(term: str) -> Endpoint:
    return pick(
        Endpoint.objects.select_related("network", "container", "host"), term, "endpoint", names=False
    )


def current(found: M, host: Host) -> M:
    """What was found before `host` was locked for a change, as it is now. Not for what is then saved whole: the host's
    own reports need no revision.
    """
    before = found.host
    if before is not None and before.pk == host.pk and before.revision + 1 == host.revision:
        # No change came between: all of them raise the revision first, and it was read together with what was found.
        return found
    candidates: QuerySet[M] = type(found).objects.select_related("host")
    return pick(candidates, found.pk, str(found._meta.model_name))


def subnets_of(networks: list[str]) -> dict[str, list[Subnet]]:
    """Subnets by network id, in order; one query whatever the number of networks."""
    found: dict[str, list[Subnet]] = {network: [] for network in networks}
    for subnet in Subnet.objects.filter(holder__in=networks).order_by("position"):
        found[subnet.holder].append(subnet)
    return found


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
