"""Connecting containers to networks and disconnecting them."""

from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet

from apps.common.errors import Conflict, Invalid, NotFound
from apps.common.statements import Update, delete_once, select_once, update_once
from apps.containers.models import Container
from apps.hosts import gathering
from apps.hosts.models import Host
from apps.hosts.services import refuse_drained
from apps.ipam import services as ipam
from apps.networks.models import Alias, Driver, Endpoint, Link, Network
from apps.networks.services.attachments import Attachments, Wish, check_fit, present_of
from apps.networks.services.memberships import leave_abandoned


def connect(host: Host, network: Network, container: Container, wish: Wish) -> Endpoint:
    """Attach the container: at once when it runs, at its next start when it does not."""
    refuse_drained(host)
    present = present_of([container.pk])[container.pk]
    check_fit(network, container, present)
    attachments = Attachments([network])
    endpoint = attachments.add(host, network, container, wish, present)
    attachments.write()
    return endpoint


def disconnect(host: Host, network: Network, container: Container) -> Endpoint:
    """Want the attachment gone; its address is free again when the host has said so."""
    found = _between(network.pk, container.pk)
    if not found:
        raise not_connected(network, container)
    check_detachable(network)
    found[0].network, found[0].container = network, container
    drop(found, host.revision)
    return found[0]


@select_once
def _between(network: str, container: str) -> QuerySet[Endpoint]:
    """One, if it is not on its way out."""
    return Endpoint.objects.filter(network=network, container=container, removing=False).order_by()


def not_connected(network: Network, container: Container) -> Conflict:
    return Conflict(
        "not_connected", f"Container {container.name} is not connected to network {network.name}."
    )


def check_detachable(network: Network) -> None:
    if network.driver == Driver.HOST:
        raise Invalid("host_network", "A container of the host network cannot be disconnected from it.")


def disconnect_by_force(host: Host, network: Network, term: str) -> Endpoint | None:
    """Detach what `term` (a container's name, or the beginning of its or the endpoint's id) has on the network.

    An endpoint whose removal the host never confirmed is forgotten and its address free; None says so.
    """
    found = [endpoint for endpoint in _named(network, term) if endpoint.host_id == host.pk]
    if len({endpoint.container_id for endpoint in found}) > 1:
        raise Invalid("ambiguous", f"{term!r} means several endpoints; use the full id.", "container")
    check_detachable(network)
    staying = [endpoint for endpoint in found if not endpoint.removing]
    drop(staying, host.revision)
    if staying:
        return staying[0]
    ipam.release_addresses(forget_endpoints(found))
    leave_abandoned(host, [network.pk] if network.spans_hosts else [])
    return None


def host_of(network: Network, term: str) -> Host:
    """The host whose endpoint on an overlay `term` means, as `disconnect_by_force` reads it."""
    found = _named(network, term)
    if len({endpoint.host_id for endpoint in found}) > 1:
        raise Invalid("ambiguous", f"{term!r} means several endpoints; use the full id.", "container")
    return found[0].host


def _named(network: Network, term: str) -> list[Endpoint]:
    named = Q(container__name=term) | Q(container__pk__startswith=term) | Q(pk__startswith=term)
    found = list(
        Endpoint.objects.filter(named, network=network).select_related("container", "host", "network")
    )
    if not found:
        raise NotFound(
            "endpoint_not_found", f"Network {network.name} has no endpoint of {term!r}.", "container"
        )
    return found


def drop(endpoints: Iterable[Endpoint], revision: int) -> None:
    """Mark endpoints of one host as going; they stay on record, and keep their addresses, until the host has none of
    them left."""
    going = list(endpoints)
    for endpoint in going:
        endpoint.removing, endpoint.applied, endpoint.revision, endpoint.error = True, False, revision, ""
    if going:
        _mark_going(tuple(endpoint.pk for endpoint in going), revision)
        gathering.add(*going)


@update_once
def _mark_going(keys: tuple[str, ...], revision: int) -> Update[Endpoint]:
    marks = {"removing": True, "applied": False, "revision": revision, "error": ""}
    return Update(Endpoint.objects.filter(pk__in=keys), marks)


def forget_endpoints(endpoints: Collection[Endpoint]) -> tuple[str, ...]:
    """The host has nothing of them left: their records go. Their ids, under which their addresses are still taken.

    Those are given back last in a transaction (`ipam.release_addresses`): subnets are locked after all networks.
    """
    keys = tuple(endpoint.pk for endpoint in endpoints)
    for delete in (_delete_aliases, _delete_links, _delete):
        delete(keys)
    for endpoint in endpoints:
        endpoint.pk = None
    return keys


@delete_once
def _delete_aliases(endpoints: tuple[str, ...]) -> QuerySet[Alias]:
    return Alias.objects.filter(endpoint__pk__in=endpoints)


@delete_once
def _delete_links(endpoints: tuple[str, ...]) -> QuerySet[Link]:
    return Link.objects.filter(endpoint__pk__in=endpoints)


@delete_once
def _delete(keys: tuple[str, ...]) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(pk__in=keys)
