"""What is not ours: it is avoided, left as it was, and never taken over."""

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.product import Product


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", autouse=True)
def neighbours(private_host: None) -> Iterator[None]:
    """What the tests have put beside us goes with them: the next module's host has none of it."""
    yield
    for line in ("ip link delete lan0", "ip link delete br-foreign", "nft delete table inet others"):
        # Not each is there when only some of the tests have run.
        subprocess.run(line.split(), capture_output=True)


def test_an_automatic_subnet_avoids_a_route_that_the_host_just_got(product: Product) -> None:
    run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    run("ip", "address", "add", "172.18.7.1/24", "dev", "lan0")
    run("ip", "link", "set", "lan0", "up")
    run("ip", "link", "set", "lan1", "up")
    deadline = time.monotonic() + 5
    while "172.18.7.0/24" not in product.do("host inspect node1"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    product.do("network create automatic")
    assert product.inspect_network("automatic")["IPAM"]["Config"][0]["Subnet"] == "172.19.0.0/16"
    product.do("network rm automatic")


def test_a_foreign_device_of_the_wanted_name_is_an_error_and_nothing_is_kept(product: Product) -> None:
    run("ip", "link", "add", "br-foreign", "type", "bridge")
    line = "network create -o com.docker.network.bridge.name=br-foreign taken"
    assert "br-foreign" in product.refuse(line)
    deadline = time.monotonic() + 10
    while "taken" in product.do("network ls"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert json.loads(run("ip", "-json", "address", "show", "br-foreign"))[0]["addr_info"] == []


def test_a_foreign_namespace_of_the_wanted_name_is_an_error_and_stays(product: Product) -> None:
    run("ip", "netns", "add", "precious")
    assert "precious" in product.refuse("run -d --name precious")
    assert "precious" in os.listdir("/run/netns")
    product.do("rm -f precious")
    assert "precious" in os.listdir("/run/netns")
    run("ip", "netns", "delete", "precious")


def test_a_command_that_does_not_exist_is_told_and_the_container_can_be_removed(product: Product) -> None:
    done = product.run("run", "-d", "--name", "wrong", "--", "nosuchcommand")
    assert done.returncode == 127 and "nosuchcommand" in done.stderr, done
    deadline = time.monotonic() + 10
    while json.loads(product.do("inspect wrong"))[0]["State"]["ExitCode"] != 127:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    product.do("rm wrong")


def test_foreign_rules_stay_as_they_were_and_purge_leaves_nothing_of_ours(product: Product) -> None:
    rules = "table inet others { chain c { type filter hook forward priority 5; policy accept; counter; }; }"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    before = run("nft", "list", "table", "inet", "others")
    product.do("network create --internal --subnet 10.43.0.0/24 inner")
    product.do("run -d --name guest --net inner")
    product.do("rm -f guest")
    product.do("network rm inner")
    product.stop()
    product.do("host purge")
    assert run("nft", "list", "table", "inet", "others") == before
    assert run("nft", "list", "tables").splitlines() == ["table inet others"]
    links = {link["ifname"] for link in json.loads(run("ip", "-json", "link"))}
    assert links == {"lo", "lan0", "lan1", "br-foreign"}
    assert os.listdir("/run/netns") == []
    assert os.listdir("/etc/netns") == []
