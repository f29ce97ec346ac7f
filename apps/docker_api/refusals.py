"""How the engine says what our services refuse: its status and, where it has its own words for it, its words.

The rules are the services' alone. Clients of the engine compare statuses and texts, so this table gives the engine's
for each code of ours; a code that is not in it keeps our status and our sentence. docs/docker.md lists where
we differ on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.common.errors import DomainError


class EngineError(Exception):
    """A refusal in the engine's own terms, for what no service of ours knows of."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Refusal:
    status: int
    text: str | None = None
    """With {names} from the error's details and from what the request was about; None: our own sentence."""


_INVALID_CONFIG = "invalid network config:\n"
_INVALID_ENDPOINT = "invalid config for network {network}: invalid endpoint settings:\n"
_SETTING_UP = "failed to set up container networking: "
REFUSALS: dict[str, Refusal] = {
    # What is not there.
    "network_not_found": Refusal(404, "network {term} not found"),
    "container_not_found": Refusal(404, "No such container: {term}"),
    # Not 404: that is how clients are told to pull the image.
    "container.create.network_not_found": Refusal(400, _SETTING_UP + "network {term} not found"),
    "container.create.container_not_found": Refusal(
        400, "could not get container for {term}: No such container: {term}"
    ),
    "image_not_found": Refusal(404, "No such image: {term}"),
    "endpoint_not_found": Refusal(404, "endpoint {term} not found"),
    "ambiguous": Refusal(400, "{noun} {term} is ambiguous ({matches} matches found based on {by})"),
    "network.inspect.ambiguous": Refusal(
        400, "{matches} matches found based on {by}: {noun} {term} is ambiguous"
    ),
    # Names.
    "network.name_taken": Refusal(409, "network with name {name} already exists"),
    "container.name_taken": Refusal(
        409,
        'Conflict. The container name "/{name}" is already in use by container "{holder}". You have to remove '
        "(or rename) that container to be able to reuse that name.",
    ),
    "container.bad_name": Refusal(400),
    "network.bad_name": Refusal(400),
    "network.predefined": Refusal(403, "operation is not permitted on predefined {name} network"),
    "network.remove.predefined": Refusal(403, "{name} is a pre-defined network and cannot be removed"),
    "one_instance": Refusal(403, 'only one instance of "{driver}" network is allowed'),
    "unknown_driver": Refusal(404, 'plugin "{driver}" not found'),
    # Subnets.
    "subnet_overlap": Refusal(
        403, "invalid pool request: Pool overlaps with other one on this address space"
    ),
    "pools_exhausted": Refusal(400, "all predefined address pools have been fully subnetted"),
    "one_subnet_a_family": Refusal(403, "bridge driver doesn't support multiple subnets"),
    "cidr_host_bits": Refusal(400, _INVALID_CONFIG + "invalid {what} {given}: it should be {meant}"),
    "cidr_malformed": Refusal(400, _INVALID_CONFIG + "invalid {what} {given}: invalid CIDR block notation"),
    "ip_range_wider": Refusal(
        400,
        _INVALID_CONFIG + "invalid ip-range {given}: CIDR block is bigger than its parent subnet {subnet}",
    ),
    "subnet_missing": Refusal(400, _INVALID_CONFIG + "invalid subnet : invalid CIDR block notation"),
    "network.address_malformed": Refusal(400, _INVALID_CONFIG + "invalid {what} {given}: invalid address"),
    "outside_subnet": Refusal(
        400, _INVALID_CONFIG + "invalid {what} {given}: parent subnet {subnet} doesn't contain {it}"
    ),
    "family_mismatch": Refusal(
        400, _INVALID_CONFIG + "invalid {what} {given}: parent subnet is an IPv{subnet_family} block"
    ),
    "address_reserved": Refusal(403, "failed to allocate {what} ({given}): Address already in use"),
    "aux.address_malformed": Refusal(
        400, _INVALID_CONFIG + "invalid auxiliary address {name}: invalid address"
    ),
    "aux.outside_subnet": Refusal(
        400,
        _INVALID_CONFIG
        + "invalid auxiliary address {name}: parent subnet {subnet} doesn't contain this address",
    ),
    "aux.family_mismatch": Refusal(
        400,
        _INVALID_CONFIG + "invalid auxiliary address {name}: parent subnet is an IPv{subnet_family} block",
    ),
    "aux.address_reserved": Refusal(
        403, "failed to allocate secondary ip address ({name}:{given}): Address already in use"
    ),
    "device_taken": Refusal(403),
    # Endpoints.
    "address_taken": Refusal(403, "Address already in use"),
    "address_outside_subnet": Refusal(
        400, "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address {address}"
    ),
    "container.create.address_outside_subnet": Refusal(
        400, _INVALID_ENDPOINT + "no configured subnet or ip-range contain the IP address {address}"
    ),
    "subnet_exhausted": Refusal(
        403, "no available IPv4 addresses on this network's address pools: {network} ({network_id})"
    ),
    "container.create.subnet_exhausted": Refusal(
        403,
        _SETTING_UP + "no available IPv4 addresses on this network's address pools: {network} ({network_id})",
    ),
    "container.create.address_taken": Refusal(403, _SETTING_UP + "Address already in use"),
    "already_connected": Refusal(403, "endpoint with name {container} already exists in network {network}"),
    "not_connected": Refusal(500, "container {container_id} is not connected to network {network}"),
    "connect.host_network": Refusal(
        400, "cannot connect container to host network - container must be created in host network mode"
    ),
    "connect.shared_network": Refusal(
        400,
        "container sharing network namespace with another container or host cannot be connected to any other "
        "network",
    ),
    "disconnect.host_network": Refusal(
        400, "cannot disconnect container from host network - container was created in host network mode"
    ),
    "none_network": Refusal(
        400,
        "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    ),
    "no_aliases": Refusal(400, "network-scoped aliases are only supported for user-defined networks"),
    "no_requested_address": Refusal(
        400,
        "invalid endpoint settings:\nuser specified IP address is supported on user defined networks only",
    ),
    "container.create.no_requested_address": Refusal(
        400, _INVALID_ENDPOINT + "user specified IP address is supported on user defined networks only"
    ),
    "network_in_use": Refusal(
        403, "error while removing network: network {network} has active endpoints ({endpoints})"
    ),
    # Containers.
    "not_running": Refusal(409, "container {container_id} is not running"),
    "container_running": Refusal(
        409,
        'cannot remove container "/{container}": container is running: stop the container before removing or '
        "force remove",
    ),
    "being_removed": Refusal(409),
    "port_taken": Refusal(
        500,
        _SETTING_UP + "driver failed programming external connectivity on endpoint "
        "{container} ({endpoint_id}): {cause}",
    ),
    "sysctl_refused": Refusal(500),
    # Hosts.
    "host_failed": Refusal(500),
}


_BLAMED = {
    "subnet": {"what": "subnet"},
    "ip_range": {"what": "ip-range", "it": "ip-range"},
    "gateway": {"what": "gateway", "it": "this address"},
}
"""By the field that an error blames."""


def word(error: DomainError, places: tuple[str, ...], facts: Mapping[str, str]) -> tuple[int, str]:
    """Status and text for the error: the entry for the field that is blamed, else for the first of `places` that has
    one of its own, else the common one.

    `facts`: what the request was about; the error's own details count more.
    """
    facts = {**facts, **_BLAMED.get(error.field or "", {})}
    keys = [f"{place}.{error.code}" for place in (error.field, *places)] + [error.code]
    refusal = next((REFUSALS[key] for key in keys if key in REFUSALS), None)
    if refusal is None:
        return error.status, error.message
    if refusal.text is None:
        return refusal.status, error.message
    try:
        return refusal.status, refusal.text.format_map({**facts, **error.details})
    except KeyError:
        return refusal.status, error.message
