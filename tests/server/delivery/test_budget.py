"""What one change may cost, counted: queries, messages and bytes, the same however much is there already."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container
from apps.delivery import sender
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import subnets_of
from tests.server.hosts import PlayedWorker
from tests.server.ipam.taking import take_address
from tests.server.people import make_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_redis")]
BUDGET = {"create": 26, "connect": 21, "disconnect": 23, "run": 35, "delete": 31, "remove": 25}
"""Queries, from the request until the answer, the token and the host's report included; begins and commits counted."""
BYTES = 2500
"""Of the message to the host, sealed."""
CROWD = 300


@pytest.fixture
def gathered_is_what_is_on_record() -> None:
    """Not compared here: reading it again is what must not be counted."""


@pytest.fixture
def worker(node1: Host, monkeypatch: pytest.MonkeyPatch) -> PlayedWorker:
    worker = PlayedWorker()
    monkeypatch.setattr(sender, "publish", worker.publish)
    return worker


@pytest.fixture
def costs(worker: PlayedWorker) -> Callable[[], dict[str, tuple[int, int, int]]]:
    """(queries, messages, bytes) of each change, done one after the other."""
    client = make_client("admin")

    def ask(
        name: str, verb: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[str, tuple[int, int, int]]:
        before = worker.messages, worker.bytes
        with CaptureQueriesContext(connection) as queries:
            answer = getattr(client, verb)(f"/api/v1/{path}", body, format="json")
        assert answer.status_code in (200, 201, 204), answer.content
        return name, (len(queries), worker.messages - before[0], worker.bytes - before[1])

    def measure() -> dict[str, tuple[int, int, int]]:
        guest = {"container": "guest"}
        return dict(
            (
                ask(
                    "create", "post", "networks/", {"name": "brief", "subnets": [{"subnet": "10.248.0.0/24"}]}
                ),
                ask("connect", "post", "networks/wide/connect/", guest),
                ask("disconnect", "post", "networks/wide/disconnect/", guest),
                ask(
                    "run",
                    "post",
                    "containers/",
                    {"name": "fresh", "networks": [{"network": "wide"}], "start": True},
                ),
                ask("delete", "delete", "containers/fresh/?force=1"),
                ask("remove", "delete", "networks/brief/"),
            )
        )

    client.post("/api/v1/networks/", {"name": "wide", "subnets": [{"subnet": "10.9.0.0/16"}]}, format="json")
    client.post(
        "/api/v1/containers/",
        {"name": "guest", "start": True, "networks": [{"network": "none"}]},
        format="json",
    )
    client.post("/api/v1/networks/none/disconnect/", {"container": "guest"}, format="json")
    return measure


def crowd(host: Host) -> None:
    """Containers that are on the network already, and applied."""
    wide = Network.objects.get(name="wide")
    subnet = subnets_of([wide.pk])[wide.pk][0]
    for number in range(CROWD):
        container = Container.objects.create(
            host=host, name=f"c{number}", wanted="running", state="running", applied=True
        )
        endpoint = Endpoint(
            host=host, network=wide, container=container, order=number, applied=True, revision=1
        )
        endpoint.ipv4, endpoint.ipv4_prefix = take_address(subnet, holder=endpoint.id), 16
        endpoint.save(force_insert=True)


def test_a_change_keeps_to_its_budget_however_much_is_there(
    node1: Host, costs: Callable[[], dict[str, tuple[int, int, int]]]
) -> None:
    costs()
    alone = costs()
    crowd(node1)
    among_many = costs()

    for measured in (alone, among_many):
        over = {name: queries for name, (queries, _, _) in measured.items() if queries > BUDGET[name]}
        assert not over, f"more queries than {BUDGET}"
    for name, (_, messages, size) in among_many.items():
        assert messages == 1, f"{name} tells its host {messages} times"
        assert size <= BYTES and size <= alone[name][2] + 64, f"{name} takes {size} bytes"
