"""A host that exists on paper only, with many containers: what pages show, without a kernel that has to hold it.

Runs inside the server's own settings: `manage.py shell -c "from tests.bench.paper import fill; fill(10000)"`.
"""

from datetime import UTC, datetime
from ipaddress import IPv4Address

from apps.containers.models import Container, new_id
from apps.hosts.models import Host
from apps.networks.models import Driver, Endpoint, Network


def fill(count: int) -> None:
    """`count` running containers, each with one endpoint, on networks of 1000."""
    now = datetime.now(UTC)
    host = Host.objects.create(name="paper")
    for start in range(0, count, 1000):
        network = Network.objects.create(
            id=new_id(), name=f"paper{start // 1000}", host=host, driver=Driver.BRIDGE, applied=True
        )
        numbers = range(start, min(start + 1000, count))
        containers = Container.objects.bulk_create(
            Container(
                id=new_id(),
                name=f"p{number}",
                host=host,
                hostname=f"p{number}",
                state=Container.State.RUNNING,
                wanted=Container.Wanted.RUNNING,
                started=now,
                applied=True,
            )
            for number in numbers
        )
        Endpoint.objects.bulk_create(
            Endpoint(
                id=new_id(),
                network=network,
                container=container,
                host=host,
                index=0,
                order=10**9 + number,
                ipv4=str(IPv4Address("10.100.0.0") + number),
                ipv4_prefix=16,
                mac=f"02:42:0a:64:{number // 256:02x}:{number % 256:02x}",
                applied=True,
            )
            for number, container in zip(numbers, containers, strict=True)
        )
