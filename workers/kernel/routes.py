"""Routes of a sandbox."""

from collections.abc import Collection

from workers.kernel.dump import Look, RouteRow
from workers.kernel.errors import KernelError, explained
from workers.kernel.namespaces import Namespaces
from workers.kernel.netlink import Request, drop_route, set_route
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
        namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
        explained(f"The default route of {wanted.sandbox} cannot be set"),
    ):
        routes = _resolve(room.look, wanted)
        kept = {(row[1], row[2], row[0]) for row in routes}
        # In place, so that there is no moment without a route. Another one, which IPv6 may keep, goes behind it.
        changes = [set_route(index, destination, gateway) for index, destination, gateway in routes]
        changes += [
            _drop(row)
            for row in room.look.routes()
            if (not row.destination or row.gateway)
            and (row.destination, row.gateway, row.ifindex) not in kept
        ]
        if changes:
            room.look.carry_out(*changes)


def _resolve(look: Look, wanted: Routes) -> list[tuple[int, str, str]]:
    """(index, destination, gateway) of each route; the defaults, to nothing in particular, first."""
    indexes: dict[str, int] = {}
    defaults = [("", *route) for route in (wanted.ipv4, wanted.ipv6) if route is not None]
    found = []
    for destination, gateway, interface in [*defaults, *wanted.others]:
        if interface not in indexes:
            link = look.link(interface)
            if link is None:
                raise KernelError(
                    f"The default route cannot be set: the namespace has no interface {interface}."
                    if not destination
                    else f"A route cannot be set: the namespace has no interface {interface}."
                )
            indexes[interface] = link.ifindex
        found.append((indexes[interface], destination, gateway))
    return found


def other_routes(rows: Collection[RouteRow], names: dict[int, str]) -> tuple[tuple[str, str, str], ...]:
    """(CIDR, gateway, interface) of the routes over a gateway to something else than everywhere."""
    found = [row for row in rows if row.destination and row.gateway]
    return tuple(sorted((row.destination, row.gateway, names.get(row.ifindex, "")) for row in found))


def _drop(row: RouteRow) -> Request:
    return drop_route(row.ifindex, row.family, row.destination, row.gateway, row.metric)
