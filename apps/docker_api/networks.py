"""/networks: listed, inspected, created, removed, pruned; containers connected and disconnected."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.common.errors import NotFound
from apps.containers.models import Container
from apps.delivery.snapshots import list_networks
from apps.docker_api import endpoints
from apps.docker_api.changes import change, change_on_all
from apps.docker_api.filters import fits_labels, matches, read_boolean, read_time
from apps.docker_api.network_shapes import ATTACHABLE, IPAM_OPTIONS, inspect_shape, list_shapes
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Filters, Request, accept_filters
from apps.docker_api.responses import Answer
from apps.docker_api.shapes import read_list, read_map, read_object, read_text
from apps.hosts.models import Host
from apps.ipam.plan import SubnetRequest
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.rules import ask_subnet
from apps.networks.selectors import available_on, find_container, find_network
from apps.networks.services import endpoints as endpoint_services
from apps.networks.services import networks as network_services
from apps.networks.services import overlays
from apps.networks.services.batches import Wanted

LIST_FILTERS = frozenset({"driver", "id", "label", "name", "scope", "type", "dangling"})
PRUNE_FILTERS = frozenset({"until", "label", "label!"})
SCOPES = {"swarm": "global"}
"""The engine's word for ours."""


def show_all(request: Request, facts: dict[str, str]) -> Answer:
    filters = accept_filters(request.filters, LIST_FILTERS)
    known = Network.objects.filter(available_on(request.host), removing=False)
    used: set[str] = set()
    if "dangling" in filters:
        used = set(
            Endpoint.objects.filter(host=request.host, removing=False).values_list("network", flat=True)
        )
    listed = [network for network in known if _fits(network, filters, used)]
    return Answer(list_shapes(listed))


def _fits(network: Network, filters: Filters, used: set[str]) -> bool:
    kind = "builtin" if network.predefined else "custom"
    for value in filters.get("type", ()):
        if value not in ("builtin", "custom"):
            raise EngineError(400, f"invalid filter: 'type'='{value}'")
    scopes = [SCOPES.get(scope, scope) for scope in filters.get("scope", ())]
    return (
        matches(filters.get("name", ()), network.name)
        and matches(filters.get("id", ()), network.pk)
        and network.driver in filters.get("driver", (network.driver,))
        and network.scope in (scopes or [network.scope])
        and kind in filters.get("type", (kind,))
        and fits_labels(filters.get("label", ()), (), network.labels)
        and (
            "dangling" not in filters
            or _is_dangling(network, used) == read_boolean("dangling", filters["dangling"])
        )
    )


def _is_dangling(network: Network, used: set[str]) -> bool:
    return not network.predefined and network.pk not in used


def find(request: Request, facts: dict[str, str]) -> Network:
    facts["term"] = facts["network"] = request.path["id"]
    network = find_network(request.path["id"], request.host)
    facts.update(network=network.name, network_id=network.pk, name=network.name)
    return network


def inspect(request: Request, facts: dict[str, str]) -> Answer:
    network = find(request, facts)
    scope = request.value("scope")
    if scope and SCOPES.get(scope, scope) != network.scope:
        raise EngineError(404, f"network {request.path['id']} not found")
    return Answer(inspect_shape(network, request.version))


def create(request: Request, facts: dict[str, str]) -> Answer:
    body = request.body
    driver = read_text(body, "Driver") or "bridge"
    facts.update(name=read_text(body, "Name"), driver=driver)
    if not facts["name"].strip():
        raise EngineError(400, "invalid name: name is empty")
    _refuse_unknown(body)
    ipam = read_object(body, "IPAM")
    fields: dict[str, Any] = {
        "name": facts["name"],
        "internal": bool(body.get("Internal")),
        "enable_ipv6": bool(body.get("EnableIPv6")),
        "options": read_map(body, "Options"),
        "labels": read_map(body, "Labels"),
    }
    subnets = [_read_subnet(each) for each in read_list(ipam, "Config")]
    given: dict[str, Any] = {ATTACHABLE: True} if body.get("Attachable") else {}
    if ipam.get("Options") is not None:
        given[IPAM_OPTIONS] = read_map(ipam, "Options")
    detail = {**fields, "driver": driver, "subnets": [vars(subnet) for subnet in subnets]}

    def work(locked: Host) -> Network:
        return network_services.create_network(locked, driver=driver, subnets=subnets, given=given, **fields)

    if driver == Driver.OVERLAY:
        network = change_on_all(
            request,
            "network.create",
            lambda: (overlays.create_overlay(subnets=subnets, given=given, **fields), ()),
            detail=detail,
        )
    else:
        network = change(request, "network.create", work, detail=detail)
    return Answer({"Id": network.pk, "Warning": ""}, status=201)


def _refuse_unknown(body: Mapping[str, Any]) -> None:
    """What the engine can and we cannot: said, not ignored."""
    if body.get("ConfigOnly") or read_text(read_object(body, "ConfigFrom"), "Network"):
        raise EngineError(
            400, "config-only networks are not supported: give the configuration with the network"
        )
    if read_text(body, "Scope") == "swarm":
        raise EngineError(403, "cannot create a swarm scoped network when swarm is not active")
    if body.get("Ingress"):
        raise EngineError(400, "ingress networks are not supported: there is no swarm")
    if body.get("EnableIPv4") is False:
        raise EngineError(400, "every network has IPv4: it cannot be switched off")
    driver = read_text(read_object(body, "IPAM"), "Driver")
    if driver not in ("", "default"):
        raise EngineError(404, f'plugin "{driver}" not found')


def _read_subnet(given: Any) -> SubnetRequest:
    if not isinstance(given, dict):
        raise EngineError(400, "invalid JSON: IPAM.Config must hold objects")
    return ask_subnet(
        read_text(given, "Subnet") or None,
        read_text(given, "Gateway") or None,
        read_text(given, "IPRange") or None,
        read_map(given, "AuxiliaryAddresses"),
    )


def remove(request: Request, facts: dict[str, str]) -> Answer:
    network = find(request, facts)
    if network.host is None:
        change_on_all(
            request, "network.remove", lambda: (network, overlays.remove_overlay(network)), detail={}
        )
    else:
        change(
            request,
            "network.remove",
            lambda locked: network_services.remove_network(locked, find_network(network.pk, locked)),
            detail={},
        )
    return Answer(status=204)


def prune(request: Request, facts: dict[str, str]) -> Answer:
    filters = accept_filters(request.filters, PRUNE_FILTERS)
    now = datetime.now(UTC)
    limits = [read_time(text, now) for text in filters.get("until", ())]
    if len(limits) > 1:
        raise EngineError(400, "more than one until filter specified")
    detail: dict[str, Any] = {"filters": dict(filters)}

    def wanted(network: Network) -> bool:
        old = not limits or network.created < limits[0]
        return old and fits_labels(filters.get("label", ()), filters.get("label!", ()), network.labels)

    def work(locked: Host) -> Host:
        pruned = network_services.prune_networks(locked, wanted)
        detail["removed"] = [network.name for network in pruned]
        detail["networks"] = list_networks(pruned)
        return locked

    change(request, "network.prune", work, detail=detail)
    return Answer({"NetworksDeleted": detail["removed"] or None})


def connect(request: Request, facts: dict[str, str]) -> Answer:
    container = _find_container(request, facts)
    network = find(request, facts)
    wish = endpoints.read_wish(read_object(request.body, "EndpointConfig"))
    detail = {"network": network.name, "container": container.name, **endpoints.show_wish(wish)}
    change(request, "endpoint.connect", Wanted(network, container, wish), detail=detail)
    return Answer()


def disconnect(request: Request, facts: dict[str, str]) -> Answer:
    force, term = bool(request.body.get("Force")), read_text(request.body, "Container")
    try:
        container = _find_container(request, facts)
    except NotFound:
        if not force:
            raise
        container = None
    network = find(request, facts)
    facts["term"] = term
    detail = {"network": network.name, "container": term, "force": force}

    def work(locked: Host) -> Endpoint | Network:
        current = find_network(network.pk, locked)
        if container is not None:
            return endpoint_services.disconnect(locked, current, find_container(container.pk, locked))
        return endpoint_services.disconnect_by_force(locked, current, term) or current

    change(request, "endpoint.disconnect", work, detail=detail)
    return Answer()


def _find_container(request: Request, facts: dict[str, str]) -> Container:
    facts["term"] = facts["container"] = read_text(request.body, "Container")
    container = find_container(facts["term"], request.host)
    facts.update(container=container.name, container_id=container.pk)
    return container
