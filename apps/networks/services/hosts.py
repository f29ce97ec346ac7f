"""What a host's move or end means for networks."""

from apps.common.errors import Conflict
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.ipam import services as ipam
from apps.networks.models import Endpoint, Membership, Network
from apps.networks.services import peers


def move_host(host: Host, advertise: str | None) -> Host:
    """Give the host, locked and with the revision of this change, another end of its tunnels.

    Its overlays are built anew there; who tells its peers (`peers.refresh_host`) tells them the new end too.
    """
    if advertise is None and Membership.objects.filter(host=host, removing=False).exists():
        raise Conflict(
            "advertise_in_use",
            f"Host {host.name} has containers on overlay networks, which need its advertise address; "
            "disconnect them first.",
            "advertise",
        )
    host.advertise = advertise
    host.save(update_fields=["advertise"])
    for membership in Membership.objects.filter(host=host).select_related("network"):
        membership.revision, membership.applied, membership.error = host.revision, False, ""
        membership.save(update_fields=["revision", "applied", "error"])
    return host


def list_remains(host: Host) -> list[str]:
    """What is on the host besides its predefined networks, in words for a person; empty: it can go."""
    networks = Network.objects.filter(host=host, predefined=False).values_list("name", flat=True)
    containers = Container.objects.filter(host=host).values_list("name", flat=True)
    return [*(f"container {name}" for name in containers), *(f"network {name}" for name in networks)]


def forget_host(host: Host, spread: peers.Spread) -> None:
    """Drop everything on record of the host, whether it has confirmed that or not; its own row is left."""
    peers.withdraw_host(host, spread)
    endpoints = Endpoint.objects.filter(host=host)
    ipam.release_addresses(list(endpoints.values_list("pk", flat=True)))
    endpoints.delete()
    Membership.objects.filter(host=host).delete()
    Container.objects.filter(host=host).delete()
    for network in Network.objects.filter(host=host).values_list("pk", flat=True):
        ipam.release_subnets(network)
    Network.objects.filter(host=host).delete()
