"""What there is only so much of is given to the last, then refused in a sentence, and given again once it is back."""

import json
from collections.abc import Iterator

import pytest

from tests.faults.kills import FULL, settle
from tests.product import Product


@pytest.fixture(autouse=True)
def removed(product: Product) -> Iterator[None]:
    """After each test everything it made is gone, and nothing is left over."""
    yield
    for container in json.loads(product.ask("GET", "containers/")[1])["results"]:
        product.ask("DELETE", f"containers/{container['name']}/?force=1")
    product.ask("DELETE", "networks/tiny/")
    settle(product, "all removed")


def run(product: Product, name: str, **fields: object) -> tuple[int, str]:
    """A container that is started: the status, and the sentence of a refusal."""
    status, text = product.ask("POST", "containers/", {"name": name, "start": True, **fields})
    return status, json.loads(text).get("message", "")


def test_a_full_subnet_refuses_the_next_and_gives_what_comes_back(product: Product) -> None:
    tiny = {"networks": [{"network": "tiny"}]}
    assert (
        product.ask("POST", "networks/", {"name": "tiny", "subnets": [{"subnet": "10.40.0.0/29"}]})[0] == 201
    )
    for number in range(2, 7):
        assert run(product, f"c{number}", **tiny) == (201, "")
    refusal = "No address is free in 10.40.0.0/29; disconnect a container."
    assert run(product, "late", **tiny) == (409, refusal)
    assert product.refuse("run -d --name late --net tiny") == f"Error: {refusal}"
    assert product.addresses_on("tiny") == {f"c{number}": f"10.40.0.{number}/29" for number in range(2, 7)}
    # Others go on, on this network and elsewhere; of who was refused nothing is kept.
    assert product.ping("c2", "c6").returncode == 0
    assert run(product, "elsewhere") == (201, "")
    settle(product, "a full subnet")
    assert product.ask("POST", "networks/tiny/disconnect/", {"container": "c4"})[0] == 204
    assert run(product, "late", **tiny) == (201, "")
    assert product.ping("c2", "late").returncode == 0
    assert product.addresses_on("tiny")["late"] == "10.40.0.4/29"


def test_published_ports_are_given_to_the_last(product: Product) -> None:
    """Of a range; in full all automatic ports of the host too, 1024 to a container."""
    two = {"ports": ["9000-9001:80"]}
    assert [run(product, name, **two) for name in ("early", "next")] == [(201, "")] * 2
    refusal = "Bind for 0.0.0.0:9000-9001 failed: port is already allocated to container early (tcp); "
    assert run(product, "late", **two) == (409, f"{refusal}stop that one or publish under another port.")
    assert product.ask("POST", "containers/early/stop/", {})[0] == 200
    assert run(product, "late", **two) == (201, "")
    settle(product, "all ports of a range are held")
    if FULL:
        many = {"ports": ["1-1024"]}
        for number in range(4):
            assert run(product, f"many{number}", **many) == (201, "")
        assert run(product, "more", **many) == (
            409,
            "All automatic ports of host node1 are already allocated.",
        )
        assert run(product, "few", ports=["80"]) == (201, "")
        settle(product, "4097 automatic ports are published")
