"""Endpoints in the making: one, those of a new container, or a thousand of one request."""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.common.errors import Conflict, Invalid
from apps.common.related import keep_related
from apps.common.statements import select_once
from apps.containers.models import Container
from apps.containers.services import refuse_removing
from apps.hosts import gathering
from apps.hosts.models import Host
from apps.ipam.taking import Takings, lock_subnets
from apps.networks.models import WIRED, Alias, Driver, Endpoint, Link, Network
from apps.networks.rules import check_dns_name, parse_address, parse_mac
from apps.networks.selectors import find_container
from apps.networks.services.memberships import join, lock_spanning
from workers.contract.addresses import derive_mac


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


class Attachments:
    """Made in one transaction: each is checked and gets its addresses as it is added, all are written together.

    `networks`: those on which endpoints are made, locked here. Who locks several things does so in one order, so that
    two never wait for each other: hosts by name, networks that span them by id, subnets by their key.
    """

    def __init__(self, networks: Collection[Network]) -> None:
        self._spanning = lock_spanning({network.pk for network in networks if network.spans_hosts})
        self._subnets = lock_subnets({network.pk for network in networks if network.driver in WIRED})
        self._takings = Takings()
        self._joined: set[tuple[str, str]] = set()
        self._macs: set[tuple[str, str]] = set()
        self._made: list[Endpoint] = []
        self._aliases: dict[str, list[Alias]] = {}
        self._links: dict[str, list[Link]] = {}
        # Microseconds: order of connection over all hosts; several of one change follow each other.
        self._order = time.time_ns() // 1000

    def add(
        self, host: Host, network: Network, container: Container, wish: Wish, present: Sequence[Endpoint]
    ) -> Endpoint:
        """An endpoint with its addresses, MAC and interface name; `present`: those the container has."""
        self._check(host, network, wish)
        if network.spans_hosts and (str(host.pk), network.pk) not in self._joined:
            if network.pk not in self._spanning:
                raise Conflict("being_removed", f"Network {network.name} was just removed.")
            join(host, self._spanning[network.pk])
            self._joined.add((str(host.pk), network.pk))
        endpoint = Endpoint(
            host=host,
            network=network,
            container=container,
            order=self._order + len(self._made),
            priority=wish.priority,
            revision=host.revision,
        )
        if network.driver in WIRED:
            self._give_addresses(endpoint, wish)
            endpoint.index = _free_index(present)
        self._made.append(endpoint)
        self._macs.add((network.pk, endpoint.mac))
        self._aliases[endpoint.pk] = [
            Alias(endpoint=endpoint, name=name) for name in dict.fromkeys(wish.aliases)
        ]
        self._links[endpoint.pk] = [
            Link(endpoint=endpoint, target=target, alias=alias) for target, alias in wish.links
        ]
        return endpoint

    def write(self) -> None:
        self._takings.write()
        Endpoint.objects.bulk_create(self._made)
        Alias.objects.bulk_create([alias for each in self._aliases.values() for alias in each])
        Link.objects.bulk_create([link for each in self._links.values() for link in each])
        for endpoint in self._made:
            keep_related(endpoint, aliases=self._aliases[endpoint.pk], links=self._links[endpoint.pk])
        gathering.add(*self._made)

    def _check(self, host: Host, network: Network, wish: Wish) -> None:
        """Whether what is wished for can be had on this network."""
        _check_kind(network, wish)
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
        if wish.mac and self._is_taken(network, parse_mac(wish.mac)):
            raise Conflict(
                "mac_taken", f"Network {network.name} already has the MAC address {wish.mac}.", "mac_address"
            )

    def _is_taken(self, network: Network, mac: str) -> bool:
        made = (network.pk, mac) in self._macs
        return made or Endpoint.objects.filter(network=network, mac=mac).exists()

    def _give_addresses(self, endpoint: Endpoint, wish: Wish) -> None:
        """An address of each family the network has; on an overlay both of one segment."""
        subnets = self._subnets[endpoint.network_id]
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
            subnet, address = self._takings.take_first(candidates, holder=endpoint.id, requested=wanted)
            position = by_family[family].index(subnet)
            segment = slice(position, position + 1)
            setattr(endpoint, field_name, address)
            setattr(endpoint, f"{field_name}_prefix", int(subnet.cidr.partition("/")[2]))
            setattr(endpoint, f"requested_{field_name}", wanted is not None)
        endpoint.requested_mac = wish.mac is not None
        endpoint.mac = parse_mac(wish.mac) if wish.mac else derive_mac(endpoint.ipv4, endpoint.ipv6)


def present_of(containers: Collection[str]) -> dict[str, list[Endpoint]]:
    """The endpoints that stay, by container, with their networks."""
    present: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in _staying(tuple(containers)):
        present[endpoint.container_id].append(endpoint)
    return present


@select_once
def _staying(containers: tuple[str, ...]) -> QuerySet[Endpoint]:
    staying = Endpoint.objects.filter(container__pk__in=containers, removing=False)
    return staying.select_related("network").order_by()


def check_fit(network: Network, container: Container, present: Sequence[Endpoint]) -> None:
    """Whether this container, which has these endpoints, may join this network now."""
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


def _check_kind(network: Network, wish: Wish) -> None:
    """Whether a network of this kind has what is wished for."""
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


def _free_index(present: Sequence[Endpoint]) -> int:
    taken = {endpoint.index for endpoint in present}
    return next(index for index in range(len(taken) + 1) if index not in taken)
