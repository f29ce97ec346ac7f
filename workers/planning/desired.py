"""The desired rows of a host, indexed so that one change finds its neighbours without a walk over all."""

from collections.abc import Iterable, Iterator

from workers.contract.publishing import PUBLISHING
from workers.contract.routing import gateway_of, prefer
from workers.contract.state import Container, Endpoint, Kind, Network, Peer, Row, Spec

Owner = tuple[Kind, str]
"""The row that a kernel object is made for."""


class Desired:
    """Networks, containers, endpoints and peers by id; endpoints also by container and by network, peers by network."""

    def __init__(self, specs: Iterable[Spec] = ()) -> None:
        self.networks: dict[str, Network] = {}
        self.containers: dict[str, Container] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.peers: dict[str, Peer] = {}
        self._peers_of: dict[str, set[str]] = {}
        self._by_container: dict[str, set[str]] = {}
        self._by_network: dict[str, set[str]] = {}
        self._by_link_target: dict[str, set[str]] = {}
        for spec in specs:
            self._add(spec)

    def put(self, row: Row) -> None:
        """Take in a row: what was there before under its id is replaced, or dropped when it has no content."""
        if row.kind == "network":
            self.networks.pop(row.id, None)
        elif row.kind == "container":
            self.containers.pop(row.id, None)
        elif row.kind == "peer":
            if (peer := self.peers.pop(row.id, None)) is not None:
                self._peers_of[peer.network].discard(row.id)
        elif (old := self.endpoints.pop(row.id, None)) is not None:
            self._by_container[old.container].discard(row.id)
            self._by_network[old.network].discard(row.id)
            for link in old.links:
                self._by_link_target[link.target].discard(row.id)
        if row.spec is not None:
            self._add(row.spec)

    def _add(self, spec: Spec) -> None:
        if isinstance(spec, Network):
            self.networks[spec.id] = spec
        elif isinstance(spec, Container):
            self.containers[spec.id] = spec
        elif isinstance(spec, Peer):
            self.peers[spec.id] = spec
            self._peers_of.setdefault(spec.network, set()).add(spec.id)
        else:
            self.endpoints[spec.id] = spec
            self._by_container.setdefault(spec.container, set()).add(spec.id)
            self._by_network.setdefault(spec.network, set()).add(spec.id)
            for link in spec.links:
                self._by_link_target.setdefault(link.target, set()).add(spec.id)

    def owners(self) -> Iterator[Owner]:
        yield from (("network", id) for id in self.networks)
        yield from (("container", id) for id in self.containers)
        yield from (("endpoint", id) for id in self.endpoints)
        yield from (("peer", id) for id in self.peers)

    def endpoints_of(self, container: str) -> list[Endpoint]:
        """Endpoints of the container whose network is known, in the order in which networks are preferred."""
        return prefer((self.endpoints[id] for id in self._by_container.get(container, ())), self.networks)

    def endpoint_ids_on(self, network: str) -> set[str]:
        return self._by_network.get(network, set())

    def host_gateway(self, endpoints: Iterable[Endpoint]) -> str:
        """An address of the host that a container with these endpoints, most preferred first, reaches; empty: none."""
        for endpoint in endpoints:
            gateway = gateway_of(endpoint, self.networks[endpoint.network], 4)
            if gateway and self.networks[endpoint.network].driver in PUBLISHING:
                return gateway
        return ""

    def linking_to(self, container: Container) -> Iterator[Endpoint]:
        """Endpoints with a link to the container, by its name or its id or the beginning of it."""
        for target in (container.name, container.id, container.id[:12]):
            for id in self._by_link_target.get(target, ()):
                yield self.endpoints[id]

    def linked_from(self, endpoint: Endpoint) -> Iterator[tuple[str, Container, Endpoint]]:
        """(alias, container, its endpoint) for each link whose target is on the endpoint's network."""
        for link in endpoint.links:
            target = self._container_named(link.target)
            if target is None:
                continue
            for id in self._by_container.get(target.id, ()):
                if self.endpoints[id].network == endpoint.network:
                    yield link.alias, target, self.endpoints[id]

    def _container_named(self, term: str) -> Container | None:
        # Only legacy links ask, at a start: a walk is cheaper than an index that every rename must keep.
        if term in self.containers:
            return self.containers[term]
        for container in self.containers.values():
            if term in (container.name, container.id[:12]):
                return container
        return None

    def affected_by(self, kind: Kind, id: str) -> set[Owner]:
        """The rows whose kernel objects may change when this row does."""
        owners: set[Owner] = {(kind, id)}
        if kind == "network":
            for endpoint_id in self.endpoint_ids_on(id):
                owners |= {("endpoint", endpoint_id), ("container", self.endpoints[endpoint_id].container)}
            owners |= {("peer", peer_id) for peer_id in self._peers_of.get(id, ())}
        elif kind == "container":
            owners |= {("endpoint", endpoint_id) for endpoint_id in self._by_container.get(id, ())}
            owners |= self._legacy_linkers(id)
        elif kind == "endpoint" and (endpoint := self.endpoints.get(id)) is not None:
            owners.add(("container", endpoint.container))
            owners |= self._legacy_linkers(endpoint.container)
        return owners

    def _legacy_linkers(self, id: str) -> set[Owner]:
        container = self.containers.get(id)
        if container is None:
            return set()
        owners: set[Owner] = set()
        for endpoint in self.linking_to(container):
            network = self.networks.get(endpoint.network)
            if network is not None and network.default:
                owners |= {("container", endpoint.container), ("endpoint", endpoint.id)}
        return owners
