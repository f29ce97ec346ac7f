"""The networks that a container is to be born on, from the flags of `run` and `create`."""

from collections.abc import Sequence
from typing import Any

import click

ADDRESS_KEYS = {
    "ip": "ipv4_address",
    "ip6": "ipv6_address",
    "mac-address": "mac_address",
    "gw-priority": "gateway_priority",
}
DEFAULT_NETWORK = "bridge"

Wish = dict[str, Any]


def gather_networks(
    networks: Sequence[str], links: Sequence[str], aliases: Sequence[str], **addresses: str | None
) -> list[Wish] | None:
    """The `networks` of a request; None leaves the choice to the server.

    Flags that are not part of a `--network name=...` itself belong to the first network, as in Docker.
    """
    wishes = [_read_network(text) for text in networks]
    given: Wish = {key: value for key, value in addresses.items() if value is not None}
    if not wishes:
        if not (given or links or aliases):
            return None
        wishes = [_make_wish(DEFAULT_NETWORK)]
    first = wishes[0]
    doubled = sorted(given.keys() & first.keys())
    if doubled:
        raise click.UsageError(f"{doubled[0]} is given twice for the network {first['network']}.")
    first.update(given)
    first["aliases"].extend(aliases)
    first["links"].extend(links)
    return wishes


def _make_wish(network: str) -> Wish:
    return {"network": network, "aliases": [], "links": []}


def _read_network(text: str) -> Wish:
    """A plain name, or Docker's long form `name=N,ip=A,ip6=A,alias=X,mac-address=M,gw-priority=P`."""
    if "=" not in text:
        return _make_wish(text)
    wish = _make_wish("")
    for field in text.split(","):
        key, _, value = field.partition("=")
        if key == "name":
            wish["network"] = value
        elif key == "alias":
            wish["aliases"].append(value)
        elif key in ADDRESS_KEYS:
            wish[ADDRESS_KEYS[key]] = _read_priority(value) if key == "gw-priority" else value
        else:
            raise click.UsageError(f"invalid field {key!r} in --network {text!r}.")
    if not wish["network"]:
        raise click.UsageError(f"--network {text!r} has no name=.")
    return wish


def _read_priority(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise click.UsageError(f"gw-priority must be a whole number, not {text!r}.") from None
