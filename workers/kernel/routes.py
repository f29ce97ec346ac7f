"""Default routes of a sandbox, and the routes of the host that a new network must keep clear of."""

import errno
import socket
from collections.abc import Collection
from ipaddress import ip_network

from pyroute2 import IPRoute

from workers.kernel.addresses import family_of, tolerate
from workers.kernel.dump import Look, RouteRow
from workers.kernel.errors import KernelError, explained
from workers.kernel.namespaces import Namespaces
from workers.planning.objects import Routes


def default_route(rows: Collection[RouteRow], names: dict[int, str], family: int) -> tuple[str, str] | None:
    """(gateway, interface) of the default route that the kernel prefers."""
    found = [row for row in rows if row.family == family and not row.destination and row.gateway]
    if not found:
        return None
    best = min(found, key=lambda row: row.metric)
    return (best.gateway, names.get(best.ifindex, ""))


def set_routes(namespaces: Namespaces, wanted: Routes) -> None:
    """Make the sandbox's routes what is wanted: in each family one default or none, and those to other segments."""
    with (
        namespaces.opened_sandbox(wanted.sandbox, wanted.container) as sandbox,
        explained(f"The default route of {wanted.sandbox} cannot be set"),
        namespaces.inside(sandbox),
        IPRoute() as inside,
        Look() as look,
    ):
        _set_family(inside, look, socket.AF_INET, wanted.ipv4)
        _set_family(inside, look, socket.AF_INET6, wanted.ipv6)
        _set_others(inside, look, wanted)


def _set_family(inside: IPRoute, look: Look, family: int, wanted: tuple[str, str] | None) -> None:
    index = 0
    if wanted is not None:
        link = look.link(wanted[1])
        if link is None:
            raise KernelError(f"The default route cannot be set: the namespace has no interface {wanted[1]}.")
        index = link.ifindex
        # In place, so that there is no moment without a route. Another one, which IPv6 may keep, goes below.
        inside.route("replace", family=family, dst="default", gateway=wanted[0], oif=index)
    for row in look.routes():
        stale = wanted is None or (row.gateway, row.ifindex) != (wanted[0], index)
        if row.family == family and not row.destination and stale:
            _delete(inside, row)


def other_routes(rows: Collection[RouteRow], names: dict[int, str]) -> tuple[tuple[str, str, str], ...]:
    """(CIDR, gateway, interface) of the routes over a gateway to something else than everywhere."""
    found = [row for row in rows if row.destination and row.gateway]
    return tuple(sorted((row.destination, row.gateway, names.get(row.ifindex, "")) for row in found))


def _set_others(inside: IPRoute, look: Look, wanted: Routes) -> None:
    indexes: dict[str, int] = {}
    for cidr, gateway, interface in wanted.others:
        link = look.link(interface)
        if link is None:
            raise KernelError(f"A route cannot be set: the namespace has no interface {interface}.")
        indexes[interface] = link.ifindex
        inside.route("replace", family=family_of(cidr), dst=cidr, gateway=gateway, oif=link.ifindex)
    kept = {(cidr, gateway, indexes[interface]) for cidr, gateway, interface in wanted.others}
    for row in look.routes():
        if row.destination and row.gateway and (row.destination, row.gateway, row.ifindex) not in kept:
            _delete(inside, row)


def _delete(inside: IPRoute, row: RouteRow) -> None:
    gateway = {"gateway": row.gateway} if row.gateway else {}
    wanted = {"family": row.family, "oif": row.ifindex, "priority": row.metric, **gateway}
    tolerate(errno.ESRCH, lambda: inside.route("del", dst=row.destination or "default", **wanted))


def foreign_routes(look: Look, ours: Collection[int]) -> tuple[str, ...]:
    """CIDRs, sorted, that the host reaches directly over devices other than `ours` (indexes)."""
    found = set()
    loopbacks = {link.ifindex for link in look.links() if link.name == "lo"}
    for row in look.routes():
        if not row.destination or row.gateway or row.ifindex in loopbacks or row.ifindex in ours:
            continue
        network = ip_network(row.destination)
        own = network.version == 6 and network.is_link_local
        if not (own or network.is_multicast or network.is_loopback):
            found.add(str(network))
    return tuple(sorted(found))
