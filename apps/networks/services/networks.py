"""Creating and removing networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.common.errors import Conflict, DomainError, Forbidden, Invalid
from apps.common.statements import select_once
from apps.hosts.models import Host
from apps.hosts.services import avoided_by_automatic_subnets
from apps.ipam import services as ipam
from apps.ipam.models import Subnet
from apps.ipam.plan import SubnetRequest
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.rules import (
    BRIDGE_NAME,
    PREDEFINED,
    check_driver,
    check_network_name,
    default_bridge_options,
    read_bridge_options,
    read_macvlan_options,
)
from apps.networks.selectors import available_on, in_use
from apps.networks.services.endpoints import drop


def create_network(
    host: Host,
    *,
    name: str,
    driver: str = Driver.BRIDGE,
    subnets: Sequence[SubnetRequest] = (),
    internal: bool = False,
    enable_ipv6: bool = False,
    options: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Network:
    """Record a network of one host; subnets that were not asked for are chosen so that they overlap nothing."""
    check_network_name(name)
    check_driver(driver)
    for other in _networks_called(host.pk, name):
        where = "There already is an overlay" if other.spans_hosts else f"Host {host.name} already has a"
        raise Conflict("name_taken", f"{where} network named {name!r}.", "name")
    network = Network(
        host=host,
        name=name,
        driver=driver,
        internal=internal,
        enable_ipv6=enable_ipv6,
        options=dict(options or {}),
        labels=dict(labels or {}),
        given=dict(given or {}),
        revision=host.revision,
    )
    _check_device(network)
    network.save(force_insert=True)
    _reserve_subnets(host, network, subnets)
    return network


@select_once
def _networks_called(host: UUID, name: str) -> QuerySet[Network]:
    return Network.objects.filter(available_on(host), name=name)


def ensure_predefined(host: Host, *, icc: bool = True) -> None:
    """The networks that exist on each host from the start; `icc`: containers of the default bridge reach each other."""
    for name, driver in PREDEFINED.items():
        options = default_bridge_options(icc) if driver == Driver.BRIDGE else {}
        network = Network.objects.filter(host=host, name=name).first()
        if network is None:
            network = Network.objects.create(
                host=host, name=name, driver=driver, predefined=True, options=options, revision=host.revision
            )
            if driver == Driver.BRIDGE:
                _reserve_subnets(host, network, ())
        elif network.options != options:
            network.options, network.applied, network.revision = options, False, host.revision
            network.save(update_fields=["options", "applied", "revision"])


def remove_network(host: Host, network: Network) -> Network:
    """Want the network gone; stopped containers are dropped from it."""
    if network.predefined:
        raise Forbidden("predefined", f"{network.name} is a predefined network and cannot be removed.")
    refuse_running(network)
    drop(_staying_on(network.pk), host.revision)
    network.removing, network.applied, network.revision = True, False, host.revision
    network.error = ""
    network.save(update_fields=["removing", "applied", "revision", "error"])
    return network


@select_once
def _staying_on(network: str) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(network=network, removing=False)


def refuse_running(network: Network) -> None:
    """A network that a running container is on stays."""
    holders = sorted((endpoint.container.name, endpoint.pk) for endpoint in _running_on(network.pk))
    if holders:
        raise Conflict(
            "network_in_use",
            f"Network {network.name} has running containers: {', '.join(name for name, _ in holders)}; "
            "stop them or disconnect them first.",
            details={"endpoints": ", ".join(f'name:"{name}" id:"{pk[:12]}"' for name, pk in holders)},
        )


@select_once
def _running_on(network: str) -> QuerySet[Endpoint]:
    running = Endpoint.objects.filter(in_use(), network=network, removing=False)
    return running.select_related("container").order_by()


def relabel_network(network: Network, labels: Mapping[str, str]) -> Network:
    """Give a locked network other labels: they mean nothing to hosts. All else is as it was made, as in Docker."""
    if network.predefined:
        raise Forbidden("predefined", f"{network.name} is a predefined network and cannot be changed.")
    network.labels = dict(labels)
    network.save(update_fields=["labels"])
    return network


def prune_networks(host: Host, wanted: Callable[[Network], bool]) -> list[Network]:
    """Remove every network of a person's that no container is on, as far as it is `wanted`."""
    unused = Network.objects.filter(host=host, predefined=False, removing=False).exclude(
        endpoints__in=Endpoint.objects.filter(removing=False)
    )
    return [remove_network(host, network) for network in unused if wanted(network)]


def forget_network(network: Network) -> None:
    """The host has nothing of it left: its addresses and its record go."""
    ipam.release_subnets(network.id)
    network.delete()


def _check_device(network: Network) -> None:
    """The device of a bridge, and the parent of a macvlan, belong to one network."""
    others = Network.objects.filter(host=network.host, driver=network.driver).only("id", "name", "options")
    if network.driver == Driver.MACVLAN:
        parent = read_macvlan_options(network.options).parent
        for other in others.filter(options__parent=parent):
            raise Conflict(
                "device_taken", f"The link {parent} is the parent of network {other.name}.", "options"
            )
        return
    device = read_bridge_options(network.id, network.options).device
    for other in others.filter(**{f"options__{BRIDGE_NAME}": device}):
        raise Conflict(
            "device_taken", f"The bridge device {device} belongs to network {other.name}.", "options"
        )
    if BRIDGE_NAME in network.options and device.startswith("br-"):
        for other in others.filter(id__startswith=device[3:]):
            raise Conflict(
                "device_taken", f"The bridge device {device} belongs to network {other.name}.", "options"
            )


def _reserve_subnets(host: Host, network: Network, requests: Sequence[SubnetRequest]) -> None:
    wanted = list(requests)
    families = [_family(request) for request in wanted]
    for family in (4, 6):
        if families.count(family) > 1:
            raise Invalid(
                "one_subnet_a_family",
                f"A {network.driver} network has one IPv{family} subnet; {families.count(family)} were given.",
                "subnets",
            )
    if 6 in families and not network.enable_ipv6:
        raise Invalid(
            "ipv6_off", "An IPv6 subnet needs IPv6 to be enabled on the network (--ipv6).", "subnets"
        )
    if 4 not in families:
        wanted.insert(0, SubnetRequest(family=4))
    if network.enable_ipv6 and 6 not in families:
        wanted.append(SubnetRequest(family=6))
    spanning = Subnet.objects.filter(space=ipam.GLOBAL_SPACE).values_list("cidr", flat=True)
    avoid = [*avoided_by_automatic_subnets(host), *spanning]
    for position, request in enumerate(sorted(wanted, key=_family)):
        reserve_named(network, host.space, position, request, avoid)


def reserve_named(
    network: Network, space: str, position: int, request: SubnetRequest, avoid: Sequence[str]
) -> None:
    """Reserve a subnet of the network; an overlap says which network it is with."""
    try:
        ipam.reserve_subnet(space=space, holder=network.id, position=position, request=request, avoid=avoid)
    except DomainError as error:
        raise _named(error) from error


def _family(request: SubnetRequest) -> int:
    if request.cidr is None:
        return request.family
    return 6 if ":" in request.cidr else 4


def _named(error: DomainError) -> DomainError:
    """The address book knows only ids."""
    other = Network.objects.filter(pk=error.details.get("holder", "")).first()
    if other is None:
        return error
    message = f"The subnet overlaps {error.details['cidr']} of network {other.name}; choose another block."
    return type(error)(error.code, message, error.field, error.details)
