"""Records of many rows, made in bulk, and what is then asked of them."""

import threading
import time
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container, new_id
from apps.delivery.changes import Change, carry_out
from apps.hosts.models import Host
from apps.hosts.services import new_epoch
from apps.ipam.cidr import pack, unpack
from apps.ipam.models import Address, FreeRange, Subnet
from apps.ipam.plan import SubnetRequest
from apps.ipam.services import release_addresses, reserve_subnet
from apps.networks.models import Endpoint, Network
from apps.networks.services.attachments import Wish
from apps.networks.services.batches import Wanted
from apps.networks.services.networks import create_network
from tests.server.ipam.taking import take_address
from tests.server.people import make_client

ASKED = Change(actor=None, action="bench")
BATCH = 2000


def reserve_crowded(block: str, count: int, step: int) -> Subnet:
    """A subnet with `count` addresses taken, `step` apart."""
    with transaction.atomic():
        subnet = reserve_subnet(space=block, holder=block, position=0, request=SubnetRequest(block))
        run = FreeRange.objects.get(subnet=subnet)
        begin, end = unpack(run.first), unpack(run.last)
        taken = [begin + number * step for number in range(count)]
        Address.objects.bulk_create(
            (
                Address(subnet=subnet, value=pack(wide), text="", purpose="endpoint", holder=str(wide))
                for wide in taken
            ),
            batch_size=BATCH,
        )
        run.delete()
        gaps = [(wide + 1, wide + step - 1) for wide in taken[:-1] if step > 1]
        FreeRange.objects.bulk_create(
            (FreeRange(subnet=subnet, first=pack(a), last=pack(b)) for a, b in [*gaps, (taken[-1] + 1, end)]),
            batch_size=BATCH,
        )
    return subnet


def take_and_release(subnet: Subnet) -> None:
    with transaction.atomic():
        take_address(subnet, holder="next")
        release_addresses(["next"])


def make_host(name: str) -> Host:
    return Host.objects.create(name=name, epoch=new_epoch())


def make_network(host: Host, name: str, block: str) -> Network:
    work = lambda locked: create_network(locked, name=name, subnets=[SubnetRequest(block)])  # noqa: E731
    network, _ = carry_out(ASKED, host, work, wait=False)
    assert isinstance(network, Network)
    return network


def make_containers(host: Host, prefix: str, count: int) -> list[Container]:
    rows = (
        Container(host=host, name=f"{prefix}{number}", wanted="running", state="running", applied=True)
        for number in range(count)
    )
    return Container.objects.bulk_create(rows, batch_size=BATCH)


def connect_at_once(clients: int, each: int) -> tuple[int, float, int]:
    """(connects, seconds, addresses given twice): all clients to one network of one host, which is the worst case."""
    host = make_host("busy")
    network = make_network(host, "busy", "10.128.0.0/16")
    containers = make_containers(host, "b", clients * each)
    ready = threading.Barrier(clients + 1)

    def attach(mine: list[Container]) -> None:
        ready.wait()
        for container in mine:
            carry_out(ASKED, host, Wanted(network, container, Wish()), wait=False)
        connection.close()

    threads = [
        threading.Thread(target=attach, args=(containers[first::clients],)) for first in range(clients)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    addresses = list(Endpoint.objects.filter(network=network).values_list("ipv4", flat=True))
    return len(addresses), seconds, len(addresses) - len(set(addresses))


LISTED = "listed"
FIRST = 50


def list_endpoints(count: int) -> None:
    """More endpoints on the network of which `ask_page` asks."""
    network = Network.objects.get(name=LISTED)
    assert network.host is not None
    containers = make_containers(network.host, f"l{count}-", count)
    Endpoint.objects.bulk_create(
        (
            Endpoint(
                id=new_id(),
                host=network.host,
                network=network,
                container=container,
                order=number,
                ipv4=f"10.129.{number // 250}.{number % 250 + 1}",
                ipv4_prefix=16,
                mac=f"02:42:0a:81:{number // 250:02x}:{number % 250 + 1:02x}",
                applied=True,
                revision=1,
            )
            for number, container in enumerate(containers)
        ),
        batch_size=BATCH,
    )
    with connection.cursor() as cursor:
        # What the database does by itself within a minute of so many new rows.
        cursor.execute("ANALYZE")


_asking: list[Any] = []


def ask_page() -> int:
    """The number of queries."""
    if not _asking:
        make_network(make_host(LISTED), LISTED, "10.129.0.0/16")
        list_endpoints(FIRST)
        _asking.append(make_client("admin"))
    with CaptureQueriesContext(connection) as queries:
        answer = _asking[0].get(
            f"/api/v1/endpoints/?network={LISTED}&limit=50&offset=0", SERVER_NAME="localhost"
        )
    assert answer.status_code == 200 and len(answer.json()["results"]) == FIRST, answer.content
    return len(queries)
