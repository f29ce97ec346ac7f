"""Many endpoints in one change: all are recorded, or none; a refusal says which of the list it is about."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from apps.common.errors import DomainError, Invalid
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.hosts.services import refuse_drained
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import all_current, current
from apps.networks.services.attachments import Attachments, Wish, check_fit, present_of
from apps.networks.services.endpoints import check_detachable, connect, drop, not_connected


@dataclass(frozen=True)
class Wanted:
    """A container attached to a network; both as they were found before the host was locked."""

    network: Network
    container: Container
    wish: Wish

    def __call__(self, host: Host) -> Endpoint:
        """On the locked host, as a change of its own."""
        return connect(host, current(self.network, host), current(self.container, host), self.wish)


def connect_all(hosts: Mapping[UUID, Host], wanted: Sequence[Wanted]) -> list[Endpoint]:
    """Attach each container, as `endpoints.connect` does one. Each is on one of the hosts, which are locked."""
    for host in hosts.values():
        refuse_drained(host)
    networks = all_current([each.network for each in wanted], hosts)
    containers = all_current([each.container for each in wanted], hosts)
    present = present_of(list(containers))
    attachments = Attachments(networks.values())
    made: dict[int, Endpoint] = {}

    def order(position: int) -> tuple[object, ...]:
        network, wish = networks[wanted[position].network.pk], wanted[position].wish
        # What a person asked for must not be given to another before.
        return network.created, network.pk, not (wish.ipv4 or wish.ipv6), position

    for position in sorted(range(len(wanted)), key=order):
        network, container = (
            networks[wanted[position].network.pk],
            containers[wanted[position].container.pk],
        )
        with naming(position, container.name, network.name):
            check_fit(network, container, present[container.pk])
            made[position] = attachments.add(
                hosts[container.host_id], network, container, wanted[position].wish, present[container.pk]
            )
        present[container.pk].append(made[position])
    attachments.write()
    return [made[position] for position in range(len(wanted))]


def disconnect_all(hosts: Mapping[UUID, Host], endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Want the attachments gone, as `endpoints.disconnect` does with one."""
    keys = [endpoint.pk for endpoint in endpoints]
    staying = Endpoint.objects.filter(pk__in=keys, removing=False).select_related("network", "container")
    known = {endpoint.pk: endpoint for endpoint in staying}
    going: dict[str, Endpoint] = {}
    for position, endpoint in enumerate(endpoints):
        with naming(position, endpoint.container.name, endpoint.network.name):
            if endpoint.pk in going:
                raise Invalid("endpoint_twice", "This endpoint is given twice.")
            if endpoint.pk not in known:
                raise not_connected(endpoint.network, endpoint.container)
            check_detachable(endpoint.network)
        going[endpoint.pk] = known[endpoint.pk]
    for host in hosts.values():
        drop([endpoint for endpoint in going.values() if endpoint.host_id == host.pk], host.revision)
    return list(going.values())


@contextmanager
def naming(position: int, *what: str) -> Iterator[None]:
    """Say of an error which of the list it is about; for people the first is item 1, and `field` counts
    from 0, as that of a wrong shape does."""
    try:
        yield
    except DomainError as error:
        raise type(error)(
            error.code,
            f"Item {position + 1}, {' and '.join(what)}: {error.message}",
            f"{position}.{error.field}" if error.field else str(position),
            error.details,
        ) from error
