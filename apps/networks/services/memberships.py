"""Which hosts an overlay network is on: those that have an endpoint on it."""

import ipaddress
from collections.abc import Collection

from apps.common.errors import Conflict
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Membership, Network

OVERHEAD = {4: 50, 6: 70}
"""Bytes that a VXLAN tunnel over IPv4 or IPv6 takes of a frame: Ethernet, IP, UDP and VXLAN headers (RFC 7348)."""


def lock_spanning(networks: Collection[str]) -> dict[str, Network]:
    """Networks that span hosts, locked and as they are now, by id."""
    if not networks:
        return {}
    found = Network.objects.select_for_update().filter(pk__in=networks).order_by("pk")
    return {network.pk: network for network in found}


def join(host: Host, network: Network) -> None:
    """Let the host have the network, unless it has it already. Both are locked, `host` with its new revision."""
    if network.removing:
        raise Conflict("being_removed", f"Network {network.name} is being removed.")
    membership = Membership.objects.filter(network=network, host=host).first()
    if membership is not None and not membership.removing:
        return
    _refuse_unfit(host, network)
    if membership is None:
        membership = Membership(network=network, host=host)
    membership.removing, membership.applied, membership.error = False, False, ""
    membership.revision, membership.acked_feed = host.revision, 0
    membership.save()


def leave_abandoned(host: Host, networks: Collection[str]) -> None:
    """Take from the host those of the networks on which it has no endpoint any more. `host` as for `join`."""
    for membership in abandoned(host, networks):
        leave(membership, host.revision)


def abandoned(host: Host, networks: Collection[str]) -> list[Membership]:
    """Memberships of the host in these networks that no endpoint of it needs."""
    if not networks:
        return []
    needed = Endpoint.objects.filter(host=host, network__in=networks).values("network")
    found = Membership.objects.filter(host=host, network__in=networks, removing=False)
    return list(found.exclude(network__in=needed))


def leave(membership: Membership, revision: int) -> None:
    """Want the network gone from the host; it stays on record until the host has said so."""
    membership.removing, membership.applied, membership.error = True, False, ""
    membership.revision = revision
    membership.save(update_fields=["removing", "applied", "error", "revision"])


def largest_mtu(host: Host) -> int | None:
    """Of an overlay's interface on this host, in bytes; None: the host has not told of its underlay."""
    if host.advertise is None or host.underlay_mtu is None:
        return None
    return host.underlay_mtu - OVERHEAD[ipaddress.ip_address(host.advertise).version]


def _refuse_unfit(host: Host, network: Network) -> None:
    if not host.advertise:
        raise Conflict(
            "no_advertise_address",
            f"Host {host.name} has no advertise address, which overlay networks need; "
            f"give it one: netadmin host set {host.name} --advertise ADDRESS.",
            "host",
        )
    limit = largest_mtu(host)
    if limit is not None and limit < network.mtu:
        raise Conflict(
            "mtu_too_large",
            f"Network {network.name} has an MTU of {network.mtu} bytes, but the underlay of host {host.name} lets "
            f"only {limit} through; raise the MTU of its device, or create the network with a smaller one.",
            "host",
        )
    family = ipaddress.ip_address(host.advertise).version
    for other in Host.objects.filter(memberships__network=network).exclude(pk=host.pk)[:1]:
        if ipaddress.ip_address(other.advertise or "0.0.0.0").version != family:
            raise Conflict(
                "advertise_family",
                f"The advertise address of host {host.name} is IPv{family}, that of {other.name} is not; "
                "the hosts of a network need addresses of one family.",
                "host",
            )
