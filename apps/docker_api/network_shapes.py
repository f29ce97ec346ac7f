"""Networks as the engine shows them."""

from collections.abc import Sequence
from typing import Any

from apps.api.inspect import describe_network, outline_networks
from apps.docker_api.versions import STRUCTURED, Version
from apps.ipam.models import Subnet
from apps.ipam.services import utilisations
from apps.networks.models import Network
from apps.networks.selectors import subnets_of

ATTACHABLE, IPAM_OPTIONS = "Attachable", "IPAMOptions"
"""What is kept of a request, see `Network.given`, only to be shown again."""


def list_shapes(networks: Sequence[Network]) -> list[dict[str, Any]]:
    """As in a list: without their containers."""
    shown = outline_networks(networks)
    return [_complete(one, network) for one, network in zip(shown, networks, strict=True)]


def inspect_shape(network: Network, version: Version) -> dict[str, Any]:
    shown = _complete(describe_network(network), network)
    if version >= STRUCTURED:
        shown["Status"] = {"IPAM": {"Subnets": _show_use(subnets_of([network.pk])[network.pk])}}
    return shown


def _complete(shown: dict[str, Any], network: Network) -> dict[str, Any]:
    """Null is what nobody gave, and empty what was given so."""
    ipam = shown["IPAM"]
    ipam = {
        "Driver": ipam["Driver"],
        "Options": network.given.get(IPAM_OPTIONS),
        "Config": ipam["Config"] or None,
    }
    return {**shown, "IPAM": ipam, "Attachable": bool(network.given.get(ATTACHABLE))}


def _show_use(subnets: Sequence[Subnet]) -> dict[str, dict[str, int]]:
    use = utilisations(subnets)
    return {
        subnet.cidr: {"IPsInUse": use[subnet.pk].used, "DynamicIPsAvailable": use[subnet.pk].free_dynamic}
        for subnet in subnets
    }
