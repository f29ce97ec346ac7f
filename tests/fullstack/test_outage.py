"""A part dies in the middle of work; what was accepted happens, once."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.product import Product

PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("network create --subnet 10.42.0.0/24 lab")
    for number in range(24):
        made = {"name": f"c{number}", "networks": [{"network": "none"}]}
        assert ask(product, "POST", "containers/", made)[0] == 201
        ask(product, "POST", "networks/none/disconnect/", {"container": f"c{number}"})


def ask(product: Product, method: str, path: str, body: object = None) -> tuple[int, object]:
    status, text = product.ask(method, path, body)
    assert status, text
    return status, json.loads(text) if text else None


def eventually(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def pending(product: Product) -> int:
    _, page = ask(product, "GET", "operations/?outcome=pending")
    assert isinstance(page, dict)
    return int(page["count"])


def holders(container: str, name: str) -> set[str]:
    """The addresses that the name has inside the container."""
    asked = ["ip", "netns", "exec", container, "getent", "ahostsv4", name]
    answer = subprocess.run(asked, capture_output=True, text=True).stdout
    return {line.split()[0] for line in answer.splitlines()}


def test_parallel_connects_over_rest_share_no_address(product: Product) -> None:
    def connect(number: int) -> tuple[int, object]:
        return ask(product, "POST", "networks/lab/connect/", {"container": f"c{number}"})

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(connect, range(24)))
    assert {status for status, _ in answers} <= {201, 202}
    eventually(lambda: pending(product) == 0)
    _, page = ask(product, "GET", "endpoints/?network=lab&limit=100")
    assert isinstance(page, dict)
    assert sorted(row["ipv4_address"] for row in page["results"]) == sorted(
        f"10.42.0.{n}" for n in range(2, 26)
    )


def test_changes_outlive_the_death_of_the_hosts_worker_and_of_the_broker(product: Product) -> None:
    def start(number: int) -> int:
        status, _ = ask(product, "POST", f"containers/c{number}/start/", {})
        return status

    with ThreadPoolExecutor(4) as pool:
        started = [pool.submit(start, number) for number in range(24)]
        os.kill(product.find_part("host worker"), signal.SIGKILL)
        time.sleep(1.0)
        os.kill(product.find_part("broker"), signal.SIGKILL)
        statuses = {future.result() for future in started}
    assert statuses <= {200, 202}
    eventually(lambda: pending(product) == 0)
    eventually(lambda: set(range(24)) == {n for n in range(24) if f"c{n}" in os.listdir("/run/netns")})
    eventually(lambda: product.ping("c0", "c23").returncode == 0)


def test_the_end_of_a_process_frees_its_names_while_the_broker_is_away(product: Product) -> None:
    product.do("run -d --name first --net lab --net-alias app -- sleep 100000")
    product.do("run -d --name second --net lab --net-alias app -- sleep 100000")
    address = product.inspect_attachments("second")["lab"]["IPAddress"]
    redis = product.find_part("broker")
    os.kill(redis, signal.SIGSTOP)
    try:
        inside = subprocess.run(["ip", "netns", "pids", "first"], capture_output=True, text=True, check=True)
        for pid in inside.stdout.split():
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"):
                os.kill(int(pid), signal.SIGKILL)
        eventually(lambda: holders("c0", "app") == {address})
    finally:
        os.kill(redis, signal.SIGCONT)
    eventually(lambda: "first" not in product.do("ps"))
    assert json.loads(product.do("inspect first"))[0]["State"]["ExitCode"] == 137


def read_readiness(product: Product) -> tuple[int, str]:
    connection = http.client.HTTPConnection(product.listen, timeout=PATIENCE)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told["message"]


def test_a_broker_that_stands_still_is_named_to_who_asks_whether_the_server_is_ready(
    product: Product,
) -> None:
    def await_readiness(status: int) -> str:
        deadline = time.monotonic() + PATIENCE
        while (found := read_readiness(product))[0] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        return found[1]

    assert await_readiness(200) == ""
    os.kill(product.find_part("broker"), signal.SIGSTOP)
    try:
        assert "broker" in await_readiness(503)
    finally:
        os.kill(product.find_part("broker"), signal.SIGCONT)
    assert await_readiness(200) == ""
