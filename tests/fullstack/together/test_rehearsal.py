"""Dry runs and plans: they say what would be done, and nothing is."""

import json
import subprocess

import pytest

from tests.product import Product


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("network create --subnet 10.40.0.0/24 lab")
    product.do("network create --subnet 10.41.0.0/24 side")
    product.do("run -d --name alice --net lab --net-alias app -- sleep 100000")
    product.do("create --name carol --net side")


def state_of(product: Product) -> object:
    """What the record, its history and the kernel say."""
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    return (
        json.loads(product.do("network ls --json")),
        json.loads(product.do("inspect alice carol")),
        json.loads(product.do("history --json")),
        json.loads(product.do("network inspect lab side")),
        sorted(link["ifname"] for link in links),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("network create --subnet 10.42.0.0/24 new", ["create bridge br-", "of network new: 10.42.0.1/24"]),
        (
            "network connect --ip 10.41.0.9 side alice",
            ["create port veth", "of container alice: eth1 with 10.41.0.9/24"],
        ),
        ("network disconnect lab alice", ["remove port veth", "of container alice: eth0 with 10.40.0.2/24"]),
        (
            "start carol",
            [
                "create namespace of container carol",
                "create port veth",
                "create names of container carol on network side: carol, ",
                "create name service of container carol: for side",
            ],
        ),
        ("stop alice", ["remove process of", "remove namespace of container alice"]),
        ("rename alice amy", ["change namespace of container amy: alice becomes amy"]),
        ("rm -f alice", ["remove process of", "remove namespace of container alice"]),
        ("run -d --name dora --net lab -- sleep 5", ["create namespace of container dora", ": sleep 5"]),
    ],
)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    product: Product, line: str, expected: list[str]
) -> None:
    before = state_of(product)
    said = product.do(f"{line.split(' --')[0]} --dry-run{line.removeprefix(line.split(' --')[0])}")
    for words in expected:
        assert words in said, said
    assert all(each.startswith("node1: ") for each in said.splitlines())
    assert state_of(product) == before


def test_a_dry_run_is_refused_as_the_change_would_be(product: Product) -> None:
    refused = product.refuse("network create --dry-run --subnet 10.40.0.0/25 overlapping")
    assert refused == product.refuse("network create --subnet 10.40.0.0/25 overlapping")


def test_what_touches_no_host_says_so(product: Product) -> None:
    done = product.run("rm", "--dry-run", "carol")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing to do on any host.\n"
    product.do("inspect carol")


def test_a_host_that_is_as_it_should_be_has_nothing_to_mend(product: Product) -> None:
    done = product.run("plan")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Nothing to do on any host.\n")
    assert json.loads(product.do("plan --json node1")) == [
        {"host": "node1", "operations": [], "total": 0, "problem": ""}
    ]
