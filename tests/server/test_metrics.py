"""What Prometheus is told, what that costs, and that nobody can fill it."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from apps.containers.models import Container
from apps.delivery.receiver import receive
from apps.health.hosts import show_counts
from apps.health.metrics import MOST_SUBNETS, scrape
from apps.health.requests import Timed
from apps.hosts.models import Host
from apps.ipam.cidr import pack
from apps.ipam.models import Subnet
from netadmin.pulse import give_pulse
from tests.server.people import make_client
from workers.contract.reports import Counts, Report, Timing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_redis")]
WATCHING = Path(__file__).parents[2] / "docs" / "watching.md"
TIMING = Timing(bounds=(0.01, 1.0), counts=(3, 2, 1), total=4.5)
COUNTS = Counts(
    waits=TIMING,
    changes=TIMING,
    looks=TIMING,
    drift=7,
    operations={"port": 5},
    failures={"port": 1},
    names={"local": TIMING, "failed": TIMING},
    views={"answering": 4, "failed": 0},
)


def read(text: bytes) -> dict[tuple[str, str], float]:
    """Values by name and labels; what is not in Prometheus's format fails here."""
    return {
        (
            sample.name,
            ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def time_request(method: str, path: str) -> None:
    """As the web server would, of an application with one address: /known."""

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/known":
            scope["route"] = "known-one"
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def drop(message: dict[str, Any]) -> None:
        pass

    asyncio.run(Timed(inner)({"type": "http", "method": method, "path": path}, None, drop))


@pytest.mark.usefixtures("answering")
def test_hosts_queues_addresses_and_containers_are_told(node1: Host) -> None:
    client = make_client("operator")
    client.post("/api/v1/networks/", {"name": "lab", "subnets": [{"subnet": "10.20.0.0/29"}]}, format="json")
    made = client.post("/api/v1/containers/", {"name": "c", "networks": [{"network": "lab"}]}, format="json")
    assert made.status_code == 201
    give_pulse()
    told = read(scrape())
    assert told["netadmin_host_up", "host=node1"] == 1
    assert told["netadmin_host_lag_revisions", "host=node1"] == 0
    assert told["netadmin_host_changes_waiting", "host=node1"] == 0
    assert told["netadmin_containers", "state=created"] == 1
    assert told["netadmin_queue_messages", "queue=server"] >= 0
    assert told["netadmin_broker_up", ""] == 1
    assert told["netadmin_server_worker_silence_seconds", ""] < 20
    # Of six addresses the gateway has one; a container that was only created holds its own already.
    (left,) = (value for (name, labels), value in told.items() if "subnet=10.20.0.0/29" in labels)
    assert left == 4


def test_a_change_that_waits_is_seen_by_its_age(node1: Host, answering: Any, settings: Any) -> None:
    settings.NETADMIN_ANSWER_TIMEOUT = 0.0
    answering.silent = True
    make_client("operator").post("/api/v1/networks/", {"name": "slow"}, format="json")
    told = read(scrape())
    assert told["netadmin_host_changes_waiting", "host=node1"] == 1
    assert told["netadmin_host_oldest_change_seconds", "host=node1"] > 0
    assert told["netadmin_host_lag_revisions", "host=node1"] == 1
    assert told["netadmin_queue_messages", "queue=host.node1"] >= 1


def test_what_a_host_has_counted_comes_with_its_beat(node1: Host) -> None:
    assert ("netadmin_host_drift_mended_total", "host=node1") not in read(scrape())
    receive(node1, Report(host="node1", epoch=node1.epoch, acked=0, counts=COUNTS))
    told = read(scrape())
    assert told["netadmin_host_drift_mended_total", "host=node1"] == 7
    assert told["netadmin_host_change_seconds_bucket", "host=node1,le=0.01"] == 3
    assert told["netadmin_host_change_seconds_bucket", "host=node1,le=1.0"] == 5
    assert told["netadmin_host_change_seconds_bucket", "host=node1,le=+Inf"] == 6
    assert told["netadmin_host_change_seconds_sum", "host=node1"] == 4.5
    assert told["netadmin_dns_answer_seconds_count", "host=node1,outcome=failed"] == 6
    assert told["netadmin_host_operations_failed_total", "host=node1,kind=port"] == 1
    assert told["netadmin_dns_sandboxes", "host=node1,state=answering"] == 4


def test_what_is_told_is_what_is_documented(node1: Host) -> None:
    """By name, kind of labels and no others: who watches writes alerts by that page."""
    receive(node1, Report(host="node1", epoch=node1.epoch, acked=0, counts=COUNTS))
    Container.objects.create(host=node1, name="c")
    give_pulse()
    time_request("GET", "/known")
    rows = re.findall(r"^\| `(netadmin_\w+)` \|([^|]*)\|", WATCHING.read_text(), re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    told = {}
    for family in text_string_to_metric_families(scrape().decode()):
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        keys = {key for sample in family.samples for key in sample.labels}
        told[name] = keys - {"le"} if family.samples else documented.get(name)
    assert told == documented


def test_a_host_cannot_fill_what_is_told() -> None:
    many = {f"{chr(97 + number // 26)}{chr(97 + number % 26)}": 1 for number in range(600)}
    odd = {'x"} 1\nnetadmin_host_up{host="other': 1, "UP": 1, "": 1}
    wide = Timing(bounds=tuple(float(n) for n in range(5000)), counts=(1,) * 5001, total=1.0)
    broken = Timing(bounds=(2.0, 1.0), counts=(1, 1, 1), total=1.0)
    forged = Counts(waits=wide, changes=broken, looks=TIMING, operations=many, failures=odd)
    samples = [sample for family in show_counts({"node1": forged}) for sample in family.samples]
    assert len(samples) < 60
    assert all(sample.labels["host"] == "node1" for sample in samples)
    assert not any("change" in sample.name or "failed" in sample.name for sample in samples)


def test_a_scrape_costs_the_same_however_much_is_there(node1: Host) -> None:
    scrape()
    with CaptureQueriesContext(connection) as few:
        scrape()
    for number in range(30):
        Host.objects.create(name=f"n{number}")
        Container.objects.create(host=node1, name=f"c{number}")
    Subnet.objects.bulk_create(
        Subnet(
            space=f"s{number}",
            holder=f"h{number}",
            cidr="10.9.0.0/30",
            family=4,
            first=pack(0xFFFF0A090000),
            last=pack(0xFFFF0A090003),
        )
        for number in range(MOST_SUBNETS + 20)
    )
    with CaptureQueriesContext(connection) as many:
        text = scrape()
    assert len(many) == len(few) <= 7
    assert text.count(b"netadmin_subnet_addresses_left{") == MOST_SUBNETS


def test_without_the_broker_the_rest_is_told(node1: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    told = read(scrape())
    assert told["netadmin_broker_up", ""] == 0
    assert told["netadmin_host_up", "host=node1"] == 1


def test_prometheus_gets_it_with_a_token_whatever_formats_it_names(node1: Host) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"
    answer = make_client("read-only").get("/metrics", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert read(answer.content)["netadmin_host_up", "host=node1"] == 1
    refused = make_client("nobody").get("/metrics", headers={"Accept": accept})
    assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in")


def test_requests_are_timed_by_the_names_of_their_addresses_and_nothing_else() -> None:
    for method, path in (("GET", "/known"), ("BREW", "/made-up"), ("GET", "/made-up-too")):
        time_request(method, path)
    told = read(scrape())
    kinds = ("GET,route=known-one", "GET,route=other", "other,route=other")
    counts = [f"method={kind},status=2xx" for kind in kinds]
    assert all(told["netadmin_request_seconds_count", labels] >= 1 for labels in counts)
    assert [
        labels for name, labels in told if name == "netadmin_request_seconds_count" and "BREW" in labels
    ] == []
    assert "made-up" not in scrape().decode()
