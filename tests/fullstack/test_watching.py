"""What can be seen of a running product: its metrics, and one request in the logs of all processes."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.product import Product

PATIENCE = 60.0
DRIFT = "netadmin_host_drift_mended_total"
LOGGED = {"NETADMIN_LOG_FORMAT": "json", "NETADMIN_LOG_LEVEL": "info"}


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("state"), settings=dict(LOGGED))
    product.start()
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []


@pytest.fixture(scope="module")
def token(product: Product) -> str:
    return product.do("token create watcher").split()[-1]


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("network create --subnet 10.43.0.0/24 lab")
    product.do("run -d --name one --net lab sleep 600")
    product.do("run -d --name two --net lab sleep 600")


def ask(
    product: Product, token: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    """Over TCP, as anybody else; the answer and its text."""
    connection = http.client.HTTPConnection(product.listen, timeout=PATIENCE)
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def scrape(product: Product, token: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    answer, text = ask(product, token, "GET", "/metrics")
    assert answer.status == 200, text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def await_metrics(
    product: Product, token: str, ready: Callable[[dict[tuple[str, ...], float]], bool]
) -> dict[tuple[str, ...], float]:
    """The first scrape of which that is so."""
    deadline = time.monotonic() + PATIENCE
    while not ready(told := scrape(product, token)):
        assert time.monotonic() < deadline, sorted(told.items())
        time.sleep(0.2)
    return told


def test_prometheus_sees_requests_changes_operations_and_names(product: Product, token: str) -> None:
    product.reaches("one", "two", "10.43.0.3")
    product.run("resolve", "one", "outside.example")
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    answers = "netadmin_dns_answer_seconds_count"
    awaited = [(answers, "node1", "local"), (answers, "node1", "failed"), (DRIFT, "node1")]
    # Hosts tell what they have counted every ten seconds.
    told = await_metrics(product, token, lambda told: all(told.get(key) for key in awaited))
    assert told["netadmin_host_up", "node1"] == 1
    assert told["netadmin_host_lag_revisions", "node1"] == 0
    # What is there at the host's first look is made by that.
    assert told["netadmin_host_change_seconds_count", "node1"] >= 1
    assert told["netadmin_host_look_seconds_count", "node1"] >= 1
    assert told["netadmin_host_operations_total", "node1", "port"] == 2
    assert told["netadmin_dns_sandboxes", "node1", "answering"] >= 2
    requests = {key[1:]: value for key, value in told.items() if key[0] == "netadmin_request_seconds_count"}
    assert requests["POST", "container-list", "2xx"] == 2
    assert told["netadmin_subnet_addresses_left", "lab", *_place(told)] == 251


def test_a_host_that_takes_in_nothing_is_seen_by_lag_and_age(product: Product, token: str) -> None:
    worker = product.find_part("host worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        asking = threading.Thread(
            target=ask, args=(product, token, "POST", "/api/v1/networks/", {"name": "late"})
        )
        asking.start()
        told = await_metrics(
            product, token, lambda told: told["netadmin_host_oldest_change_seconds", "node1"] > 1
        )
        assert told["netadmin_host_lag_revisions", "node1"] >= 1
        assert told["netadmin_host_changes_waiting", "node1"] == 1
    finally:
        os.kill(worker, signal.SIGCONT)
    asking.join()
    keys = ("oldest_change_seconds", "changes_waiting", "lag_revisions")
    await_metrics(product, token, lambda told: not any(told[f"netadmin_host_{key}", "node1"] for key in keys))


def _place(told: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """The id of network lab, and its subnet."""
    (place,) = [key[2:] for key in told if key[:2] == ("netadmin_subnet_addresses_left", "lab")]
    return place


def read_log(product: Product, process: str) -> list[dict[str, Any]]:
    """All that a process has logged: each line is an object."""
    lines = (product.state_dir / "log" / f"{process}.log").read_text().splitlines()
    return [json.loads(line) for line in lines]


def await_lines(product: Product, process: str, request: str, *texts: str) -> list[str]:
    """What it has logged of that request, once each of the texts is in it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        lines = [
            line["message"]
            for line in read_log(product, process)
            if request in line.get("request", "").split(",")
        ]
        if all(any(text in line for line in lines) for text in texts):
            return lines
        assert time.monotonic() < deadline, (process, texts, lines)
        time.sleep(0.1)


def test_one_id_leads_from_a_request_to_the_kernel_and_into_the_history(product: Product, token: str) -> None:
    request = "order-4711"
    wish = {
        "name": "three",
        "command": ["sleep", "600"],
        "networks": [{"network": "lab"}],
        "ports": ["8089:80"],
        "start": True,
    }
    answer, text = ask(product, token, "POST", "/api/v1/containers/", wish, **{"X-Request-ID": request})
    assert (answer.status, answer.headers["X-Request-ID"]) == (201, request), text
    await_lines(product, "web", request, "container.create three is accepted", "is told revision", ": 201 in")
    await_lines(
        product,
        "host-worker",
        request,
        *("create sandbox", "create port", "create element", "create name", "create process"),
    )
    await_lines(product, "names", request, "update: done")
    await_lines(product, "ports", request, "update: done")
    await_lines(product, "supervisor", request, "start: done")
    # It takes the report in, or finds that the request itself has done so.
    await_lines(product, "server-worker", request, "host node1")
    history = json.loads(product.do("history --json"))
    assert [row["action"] for row in history if row["request"] == request] == ["container.create"]
    refused, _ = ask(product, token, "GET", "/api/v1/networks/", **{"X-Request-ID": "two words"})
    assert refused.headers["X-Request-ID"] not in ("", "two words")
