"""Creating and removing overlay networks, which span hosts."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.common.errors import Conflict, Invalid
from apps.hosts.models import Host
from apps.hosts.services import advance, avoided_by_automatic_subnets
from apps.ipam import services as ipam
from apps.ipam.plan import SubnetRequest
from apps.networks.models import Counter, Driver, Endpoint, Membership, Network, Segment
from apps.networks.rules import FIRST_VNI, LAST_VNI, VNIS, check_network_name, read_overlay_options
from apps.networks.services.endpoints import drop
from apps.networks.services.memberships import largest_mtu, leave
from apps.networks.services.networks import forget_network, refuse_running, reserve_named

STRIDE = 1024
"""VNIs that are looked at together."""
UNKNOWN_MTU = 1450
"""Of an overlay while no host has told of its underlay: what an Ethernet of 1500 bytes leaves."""


def create_overlay(
    *,
    name: str,
    subnets: Sequence[SubnetRequest] = (),
    internal: bool = False,
    enable_ipv6: bool = False,
    options: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Network:
    """Record a network that any host with an advertise address may join. Hosts hear of it with their first endpoint."""
    check_network_name(name)
    meaning = read_overlay_options(options or {})
    pairs = _pair(subnets, enable_ipv6)
    if meaning.vnis and len(meaning.vnis) != len(pairs):
        raise Invalid("bad_option", f"Option {VNIS} must have one number for each IPv4 subnet.", "options")
    # What spans hosts changes under the lock of this one row: names, subnets and VNIs.
    last_vni = Counter.objects.select_for_update().get_or_create(name="vni")[0].value
    other = Network.objects.filter(name=name).select_related("host").first()
    if other is not None:
        where = f"Host {other.host.name} already has" if other.host else "There already is"
        raise Conflict("name_taken", f"{where} a network named {name!r}.", "name")
    network = Network.objects.create(
        host=None,
        name=name,
        driver=Driver.OVERLAY,
        internal=internal,
        enable_ipv6=enable_ipv6,
        options=dict(options or {}),
        labels=dict(labels or {}),
        given=dict(given or {}),
        mtu=_settle_mtu(_usable_hosts(), meaning.mtu),
        applied=True,
    )
    _reserve(network, pairs)
    for position, vni in enumerate(meaning.vnis or _next_vnis(last_vni, len(pairs))):
        if meaning.vnis and Segment.objects.filter(vni=vni).exists():
            raise Conflict(
                "vni_taken", f"VNI {vni} belongs to another network; choose another one.", "options"
            )
        Segment.objects.create(network=network, position=position, vni=vni)
    return network


def remove_overlay(network: Network) -> list[Host]:
    """Want the network gone from all its hosts; stopped containers are dropped from it.

    The hosts that must be told, each locked with the revision of this change; none: it is forgotten already.
    """
    members = list(Membership.objects.filter(network=network).order_by("host").values_list("host", flat=True))
    hosts = {pk: advance(pk) for pk in members}
    locked = Network.objects.select_for_update().get(pk=network.pk)
    memberships = list(Membership.objects.filter(network=network))
    if {membership.host_id for membership in memberships} != hosts.keys():
        raise Conflict(
            "changed_meanwhile", f"Containers just joined or left network {network.name}; try again."
        )
    refuse_running(locked)
    for host in hosts.values():
        drop(Endpoint.objects.filter(network=network, host=host, removing=False), host.revision)
    for membership in memberships:
        leave(membership, hosts[membership.host_id].revision)
    if not hosts:
        forget_network(locked)
        return []
    locked.removing = True
    locked.save(update_fields=["removing"])
    return list(hosts.values())


def _pair(
    subnets: Sequence[SubnetRequest], enable_ipv6: bool
) -> list[tuple[SubnetRequest, SubnetRequest | None]]:
    """One IPv4 subnet for each segment, each with its IPv6 one where the network has IPv6."""
    ipv4 = [request for request in subnets if request.family == 4] or [SubnetRequest(family=4)]
    ipv6 = [request for request in subnets if request.family == 6]
    if ipv6 and not enable_ipv6:
        raise Invalid(
            "ipv6_off", "An IPv6 subnet needs IPv6 to be enabled on the network (--ipv6).", "subnets"
        )
    if not enable_ipv6:
        return [(request, None) for request in ipv4]
    if len(ipv6) > len(ipv4):
        raise Invalid(
            "subnets_unpaired",
            "An overlay network needs an IPv4 subnet for each of its IPv6 subnets.",
            "subnets",
        )
    ipv6 += [SubnetRequest(family=6)] * (len(ipv4) - len(ipv6))
    return list(zip(ipv4, ipv6, strict=True))


def _reserve(network: Network, pairs: Sequence[tuple[SubnetRequest, SubnetRequest | None]]) -> None:
    avoid = [cidr for host in Host.objects.all() for cidr in avoided_by_automatic_subnets(host)]
    given = [pair[0] for pair in pairs] + [pair[1] for pair in pairs if pair[1] is not None]
    for position, request in enumerate(given):
        reserve_named(network, ipam.GLOBAL_SPACE, position, request, avoid)


def _usable_hosts() -> list[Host]:
    hosts = [host for host in Host.objects.filter(revoked=False) if host.advertise]
    if not hosts:
        raise Conflict(
            "no_advertise_address",
            "An overlay network needs a host with an advertise address; "
            "give one: netadmin host set NAME --advertise ADDRESS.",
            "driver",
        )
    online = [host for host in hosts if host.last_seen is not None and not host.silent]
    if not online:
        names = ", ".join(host.name for host in hosts[:10])
        raise Conflict(
            "hosts_offline",
            f"No host with an advertise address is online ({names}); start a worker.",
            "driver",
        )
    return hosts


def _settle_mtu(hosts: Sequence[Host], wanted: int) -> int:
    """The largest that passes every underlay, or what a person wants if it does."""
    limits = {host.name: limit for host in hosts if (limit := largest_mtu(host)) is not None}
    if not limits:
        return wanted or UNKNOWN_MTU
    narrowest = min(limits, key=lambda name: limits[name])
    if wanted > limits[narrowest]:
        raise Invalid(
            "mtu_too_large",
            f"An MTU of {wanted} bytes does not pass the underlay of host {narrowest}; "
            f"use at most {limits[narrowest]}.",
            "options",
        )
    return wanted or limits[narrowest]


def _next_vnis(last: int, count: int) -> list[int]:
    """The free ones after the last that was given, beginning anew at the end: one that was used lately rests."""
    space = LAST_VNI - FIRST_VNI + 1
    if Segment.objects.filter(vni__gte=FIRST_VNI).count() + count > space:
        raise Conflict("vni_exhausted", "Every VNI is in use; remove overlay networks.", "driver")
    found: list[int] = []
    start = last + 1 if FIRST_VNI <= last < LAST_VNI else FIRST_VNI
    while len(found) < count:
        stride = range(start, min(start + STRIDE, LAST_VNI + 1))
        taken = set(Segment.objects.filter(vni__range=(stride[0], stride[-1])).values_list("vni", flat=True))
        found += [vni for vni in stride if vni not in taken and vni not in found]
        start = stride[-1] + 1 if stride[-1] < LAST_VNI else FIRST_VNI
    del found[count:]
    Counter.objects.filter(name="vni").update(value=found[-1])
    return found
