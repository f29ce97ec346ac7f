"""What can be seen of a running product from outside: its metrics."""

import http.client
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.product import Product

PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("network create --subnet 10.43.0.0/24 lab")
    product.do("run -d --name one --net lab sleep 600")
    product.do("run -d --name two --net lab sleep 600")


def scrape(product: Product, token: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    connection = http.client.HTTPConnection(product.listen, timeout=PATIENCE)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_sees_requests_changes_operations_and_names(product: Product) -> None:
    token = product.do("token create prometheus").split()[-1]
    product.reaches("one", "two", "10.43.0.3")
    deadline = time.monotonic() + PATIENCE
    asked = ("netadmin_dns_answer_seconds_count", "node1", "local")
    # Hosts tell what they have counted every ten seconds.
    while not (told := scrape(product, token)).get(asked):
        assert time.monotonic() < deadline, sorted(told)
        time.sleep(0.5)
    assert told["netadmin_host_up", "node1"] == 1
    assert told["netadmin_host_lag_revisions", "node1"] == 0
    assert told["netadmin_host_change_seconds_count", "node1"] >= 3
    assert told["netadmin_host_look_seconds_count", "node1"] >= 1
    assert told["netadmin_host_operations_total", "node1", "port"] == 2
    assert told["netadmin_dns_sandboxes", "node1", "answering"] >= 2
    requests = {key[1:]: value for key, value in told.items() if key[0] == "netadmin_request_seconds_count"}
    assert requests["POST", "container-list", "2xx"] == 2
    assert told["netadmin_subnet_addresses_left", "lab", *_place(told)] == 251


def _place(told: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """The id of network lab, and its subnet."""
    (place,) = [key[2:] for key in told if key[:2] == ("netadmin_subnet_addresses_left", "lab")]
    return place
