"""Stopped and started again, everything is as it was."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.product import Product


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("network create --subnet 10.40.0.0/24 lab")
    product.do("network create --subnet 10.41.0.0/24 side")
    product.do("run -d --name alice --net lab --net-alias app -- sleep 100000")
    product.do("run -d --name bob --net lab --ip 10.40.0.77")
    product.do("network connect --alias s side bob")
    product.do("create --name carol --net side --link bob:b")


def described(product: Product) -> object:
    return {name: product.inspect_attachments(name) for name in ("alice", "bob", "carol")}


def test_a_second_start_brings_everything_back(product: Product) -> None:
    before = described(product)
    assert product.stop() == 0
    assert product.find_processes() == []
    product.start()
    assert described(product) == before
    product.reaches("bob", "app", "10.40.0.2")
    product.reaches("alice", "bob", "10.40.0.77")
    assert product.interfaces_in("bob") == {
        "lo": "127.0.0.1/8",
        "eth0": "10.40.0.77/24",
        "eth1": "10.41.0.2/24",
    }
    assert "sleep 100000" in product.do("exec alice ps -eo args")
    product.do("start carol")
    product.reaches("carol", "b", "10.41.0.2")


def test_killed_without_a_chance_it_leaves_no_process_and_comes_back(product: Product) -> None:
    assert product.process is not None
    product.process.send_signal(signal.SIGKILL)
    product.process.wait()
    deadline = time.monotonic() + 30
    while product.find_processes():
        assert time.monotonic() < deadline, product.kill_leftovers()
        time.sleep(0.1)
    product.start()
    product.reaches("bob", "app", "10.40.0.2")


def test_after_a_reboot_all_is_built_again_from_what_the_host_remembers(product: Product) -> None:
    before = described(product)
    product.stop()
    # What a reboot takes away: every link, namespace and rule; the state directory stays.
    product.do("host purge")
    assert os.listdir("/run/netns") == []
    product.start()
    assert described(product) == before
    product.reaches("bob", "app", "10.40.0.2")


def test_names_and_traffic_do_not_need_the_server(product: Product) -> None:
    halted = []
    for pid in product.find_processes():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[2:3] in ([b"netadmin.web"], [b"netadmin.worker"]) or b"--config" in words:
            os.kill(pid, signal.SIGSTOP)
            halted.append(words[2])
    try:
        assert sorted(halted) == [b"netadmin.web", b"netadmin.worker", b"workers"]
        assert product.ping("bob", "app").returncode == 0
    finally:
        for pid in product.find_processes():
            os.kill(pid, signal.SIGCONT)
