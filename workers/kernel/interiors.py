"""What is inside sandboxes: looked at anew only where something may have changed, for a thousand take their time."""

import errno
import socket
from collections import defaultdict
from collections.abc import Callable, Container
from dataclasses import dataclass

from workers.kernel import files
from workers.kernel.addresses import connected_network, is_own_link_local
from workers.kernel.dump import AddressRow, LinkRow, Look, NeighbourRow, RouteRow
from workers.kernel.markers import read_sandbox
from workers.kernel.namespaces import Namespaces
from workers.kernel.routes import default_route, other_routes
from workers.planning.objects import Routes, Sandbox


@dataclass(frozen=True)
class Interior:
    """What one look into a sandbox found."""

    sandbox: Sandbox
    links: dict[int, LinkRow]
    addresses: dict[int, list[str]]
    gateways: dict[int, list[tuple[str, str]]]
    routes: Routes | None


class Interiors:
    """Keeps what it found, by name and by which namespace the name stood for."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._known: dict[str, tuple[int, Interior]] = {}
        self.files = files.Reader()
        self.looked_into: set[str] = set()
        """Names of those that the last `look` looked into, also when it was broken off."""

    def look(
        self,
        leaving: set[int],
        unchanged: Container[str] = (),
        breathe: Callable[[], None] = lambda: None,
    ) -> list[Interior]:
        """Of all sandboxes of ours. Other ends of links that are `leaving` are gone, and their routes with them.

        `unchanged`: sandboxes in which nothing has been changed since the last look. One that was not known then, or
        whose name stands for another namespace now, is looked into all the same.
        `breathe` is called before each, and may break the look off by an exception: what was seen till then is kept.
        """
        self.looked_into = set()
        names = self._namespaces.names()
        for name in names:
            identity = self._namespaces.identify(name)
            before = self._known.get(name) if name in unchanged else None
            if before is not None and before[0] == identity:
                continue
            breathe()
            self._known.pop(name, None)
            interior = _look_inside(self._namespaces, name, leaving)
            if interior is not None:
                self._known[name] = identity, interior
                self.files.read(interior.sandbox.container, name, unchanged=False)
            self.looked_into.add(name)
        self._known = {name: self._known[name] for name in names if name in self._known}
        return [interior for _, interior in self._known.values()]


def _look_inside(namespaces: Namespaces, name: str, leaving: set[int]) -> Interior | None:
    """None: no namespace, or not ours."""
    try:
        with namespaces.opened(name) as descriptor, namespaces.inside(descriptor), Look() as look:
            links = {link.ifindex: link for link in look.links() if link.peer not in leaving}
            marker = next((read_sandbox(link.alias) for link in links.values() if link.name == "lo"), None)
            if marker is None:
                return None
            names = {index: link.name for index, link in links.items()}
            rows = [row for row in look.routes() if row.ifindex in links]
            held, known = serving(look.addresses(), rows), _by_device(look.neighbours())
    except OSError as error:
        # Gone since it was listed, an unfinished name, or a file that is no namespace.
        if error.errno in (errno.ENOENT, errno.EACCES, errno.EINVAL):
            return None
        raise
    sandbox = Sandbox(container=marker[0], name=name, incarnation=marker[1])
    ipv4 = default_route(rows, names, socket.AF_INET)
    ipv6 = default_route(rows, names, socket.AF_INET6)
    others = other_routes(rows, names)
    routes = None
    if ipv4 or ipv6 or others:
        routes = Routes(container=marker[0], sandbox=name, ipv4=ipv4, ipv6=ipv6, others=others)
    return Interior(sandbox, links, held, known, routes)


def serving(rows: list[AddressRow], routes: list[RouteRow]) -> defaultdict[int, list[str]]:
    """Addresses by device, of those that serve: one whose neighbours are not reached any more, for want of its own
    route, does not."""
    connected = {(row.ifindex, row.destination) for row in routes if not row.gateway}
    held: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        own = connected_network(row.address)
        if not is_own_link_local(row.address) and (own is None or (row.ifindex, own) in connected):
            held[row.ifindex].append(row.address)
    return held


def _by_device(rows: list[NeighbourRow]) -> defaultdict[int, list[tuple[str, str]]]:
    known: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        known[row.ifindex].append((row.address, row.mac))
    return known
