"""What a client of the engine wants of one attachment: EndpointSettings."""

from collections.abc import Mapping
from typing import Any

from apps.docker_api.options import check_endpoint
from apps.docker_api.shapes import read_list, read_number, read_object, read_text
from apps.networks.rules import read_link
from apps.networks.services.attachments import Wish


def read_wish(given: Mapping[str, Any]) -> Wish:
    check_endpoint(given)
    ipam = read_object(given, "IPAMConfig")
    return Wish(
        ipv4=read_text(ipam, "IPv4Address") or None,
        ipv6=read_text(ipam, "IPv6Address") or None,
        mac=read_text(given, "MacAddress") or None,
        aliases=[str(alias) for alias in read_list(given, "Aliases") if alias],
        links=[read_link(str(link)) for link in read_list(given, "Links")],
        priority=read_number(given, "GwPriority"),
    )


def show_wish(wish: Wish) -> dict[str, Any]:
    """For the history: what was asked for."""
    return {name: value for name, value in vars(wish).items() if value}
