"""Connecting containers to networks and disconnecting them."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Q

from apps.common.errors import Conflict, Invalid, NotFound
from apps.common.related import keep_related
from apps.containers.models import Container
from apps.containers.services import refuse_removing
from apps.hosts.models import Host
from apps.hosts.services import refuse_drained
from apps.ipam import services as ipam
from apps.networks.models import WIRED, Alias, Driver, Endpoint, Link, Network
from apps.networks.rules import check_dns_name, derive_mac, parse_address, parse_mac
from apps.networks.selectors import find_container, subnets_of
from apps.networks.services.memberships import join, leave_abandoned


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a container shall be attached; what is not given is chosen."""

    ipv4: str | None = None
    ipv6: str | None = None
    mac: str | None = None
    aliases: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    """(target, alias); the target may not exist yet, except on the default bridge."""
    priority: int = 0


def connect(host: Host, network: Network, container: Container, wish: Wish) -> Endpoint:
    """Attach the container: at once when it runs, at its next start when it does not."""
    refuse_drained(host)
    return attach(host, network, container, wish, _check_fit(network, container))


def attach(
    host: Host, network: Network, container: Container, wish: Wish, present: Sequence[Endpoint]
) -> Endpoint:
    """Record the endpoint with its addresses, MAC and interface name; `present`: those the container has."""
    _check_wish(host, network, wish)
    if network.spans_hosts:
        join(host, network)
    endpoint = Endpoint(
        host=host,
        network=network,
        container=container,
        # Microseconds: order of connection over all hosts; several of one change follow each other.
        order=time.time_ns() // 1000 + len(present),
        priority=wish.priority,
        revision=host.revision,
    )
    if network.driver in WIRED:
        _give_addresses(endpoint, wish)
        endpoint.index = _free_index(present)
    endpoint.save(force_insert=True)
    aliases = [Alias(endpoint=endpoint, name=name) for name in dict.fromkeys(wish.aliases)]
    links = [Link(endpoint=endpoint, target=target, alias=alias) for target, alias in wish.links]
    keep_related(endpoint, aliases=Alias.objects.bulk_create(aliases), links=Link.objects.bulk_create(links))
    return endpoint


def disconnect(host: Host, network: Network, container: Container) -> Endpoint:
    """Want the attachment gone; its address is free again when the host has said so."""
    endpoint = Endpoint.objects.filter(network=network, container=container, removing=False).first()
    if endpoint is None:
        raise Conflict(
            "not_connected", f"Container {container.name} is not connected to network {network.name}."
        )
    if network.driver == Driver.HOST:
        raise Invalid("host_network", "A container of the host network cannot be disconnected from it.")
    endpoint.network, endpoint.container = network, container
    drop(endpoint, host.revision)
    return endpoint


def disconnect_by_force(host: Host, network: Network, term: str) -> Endpoint | None:
    """Detach what `term` (a container's name, or the beginning of its or the endpoint's id) has on the network.

    An endpoint whose removal the host never confirmed is forgotten and its address free; None says so.
    """
    found = [endpoint for endpoint in _named(network, term) if endpoint.host_id == host.pk]
    if len({endpoint.container_id for endpoint in found}) > 1:
        raise Invalid("ambiguous", f"{term!r} means several endpoints; use the full id.", "container")
    if network.driver == Driver.HOST:
        raise Invalid("host_network", "A container of the host network cannot be disconnected from it.")
    staying = [endpoint for endpoint in found if not endpoint.removing]
    for endpoint in staying:
        drop(endpoint, host.revision)
    if staying:
        return staying[0]
    forget_endpoints(found)
    leave_abandoned(host, [network.pk] if network.spans_hosts else [])
    return None


def host_of(network: Network, term: str) -> Host:
    """The host whose endpoint on an overlay `term` means, as `disconnect_by_force` reads it."""
    found = _named(network, term)
    if len({endpoint.host_id for endpoint in found}) > 1:
        raise Invalid("ambiguous", f"{term!r} means several endpoints; use the full id.", "container")
    return found[0].host


def _named(network: Network, term: str) -> list[Endpoint]:
    named = Q(container__name=term) | Q(container__pk__startswith=term) | Q(pk__startswith=term)
    found = list(
        Endpoint.objects.filter(named, network=network).select_related("container", "host", "network")
    )
    if not found:
        raise NotFound(
            "endpoint_not_found", f"Network {network.name} has no endpoint of {term!r}.", "container"
        )
    return found


def drop(endpoint: Endpoint, revision: int) -> None:
    """Mark the endpoint as going; it stays on record, and keeps its address, until the host has none of it left."""
    endpoint.removing, endpoint.applied, endpoint.revision = True, False, revision
    endpoint.error = ""
    endpoint.save(update_fields=["removing", "applied", "revision", "error"])


def forget_endpoints(endpoints: Collection[Endpoint]) -> None:
    """The host has nothing of them left: their addresses are free and their records go."""
    keys = [endpoint.pk for endpoint in endpoints]
    ipam.release_addresses(keys)
    Endpoint.objects.filter(pk__in=keys).delete()
    for endpoint in endpoints:
        endpoint.pk = None


def _check_fit(network: Network, container: Container) -> list[Endpoint]:
    """Whether this container may join this network now; the endpoints that it has."""
    refuse_removing(container)
    if network.removing:
        raise Conflict("being_removed", f"Network {network.name} is being removed.")
    if network.driver == Driver.HOST:
        raise Invalid(
            "host_network", "A container joins the host network when it is created, not later (--net host)."
        )
    if container.host_network:
        raise Invalid(
            "shared_network", f"Container {container.name} shares the host's network and can join no other."
        )
    present = list(Endpoint.objects.filter(container=container, removing=False).select_related("network"))
    for endpoint in present:
        if endpoint.network_id == network.pk:
            raise Conflict(
                "already_connected",
                f"Container {container.name} is already connected to network {network.name}.",
            )
        if Driver.NULL in (network.driver, endpoint.network.driver):
            raise Invalid(
                "none_network",
                "A container of network none can be on no other; disconnect it from none first.",
            )
    return present


def _check_wish(host: Host, network: Network, wish: Wish) -> None:
    """Whether what is wished for can be had on this network."""
    if network.driver not in WIRED or network.default:
        if wish.ipv4 or wish.ipv6:
            raise Invalid(
                "no_requested_address", "An address can be asked for on user-defined networks only.", "ipv4"
            )
        if wish.aliases:
            raise Invalid("no_aliases", "Aliases work on user-defined networks only.", "aliases")
    if network.driver not in WIRED and (wish.mac or wish.links):
        raise Invalid(
            "no_interface", f"Network {network.name} has no interfaces, so no MAC address and no links."
        )
    if wish.ipv6 and not network.enable_ipv6:
        raise Invalid("ipv6_off", f"Network {network.name} has no IPv6.", "ipv6")
    for alias in wish.aliases:
        check_dns_name(alias, "aliases")
    seen: set[str] = set()
    for target, alias in wish.links:
        check_dns_name(alias, "links")
        if alias.lower() in seen:
            raise Invalid("link_twice", f"The link alias {alias!r} is given twice.", "links")
        seen.add(alias.lower())
        if not target:
            raise Invalid("bad_link", "A link needs a container: CONTAINER:ALIAS.", "links")
        if network.default:
            find_container(target, host)
    if wish.mac and Endpoint.objects.filter(network=network, mac=parse_mac(wish.mac)).exists():
        raise Conflict(
            "mac_taken", f"Network {network.name} already has the MAC address {wish.mac}.", "mac_address"
        )


def _free_index(present: Sequence[Endpoint]) -> int:
    taken = {endpoint.index for endpoint in present}
    return next(index for index in range(len(taken) + 1) if index not in taken)


def _give_addresses(endpoint: Endpoint, wish: Wish) -> None:
    """An address of each family the network has; on an overlay both of one segment."""
    subnets = subnets_of([endpoint.network_id])[endpoint.network_id]
    by_family = {family: [subnet for subnet in subnets if subnet.family == family] for family in (4, 6)}
    requests = {4: wish.ipv4, 6: wish.ipv6}
    segment = slice(None)
    # What a person asked for decides on the segment.
    for family in sorted(requests, key=lambda family: (requests[family] is None, family)):
        candidates, requested = by_family[family][segment], requests[family]
        if not candidates:
            continue
        field_name = f"ipv{family}"
        wanted = parse_address(requested, family, field_name) if requested else None
        subnet, address = ipam.take_first(candidates, holder=endpoint.id, requested=wanted)
        position = by_family[family].index(subnet)
        segment = slice(position, position + 1)
        setattr(endpoint, field_name, address)
        setattr(endpoint, f"{field_name}_prefix", int(subnet.cidr.partition("/")[2]))
        setattr(endpoint, f"requested_{field_name}", wanted is not None)
    endpoint.requested_mac = wish.mac is not None
    endpoint.mac = parse_mac(wish.mac) if wish.mac else derive_mac(endpoint.ipv4, endpoint.ipv6)
