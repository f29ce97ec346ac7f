"""Who reaches whom, measured inside real sandboxes, and why not."""

import http.client
import json
import socket
from typing import Any

import pytest

from tests.product import Product


@pytest.fixture(scope="module", autouse=True)
def containers(product: Product) -> None:
    product.do("network create lab")
    product.do("network create other")
    product.do("run -d --net=lab --net-alias=web --name=a")
    product.do("run -d --net=lab --name=b --link a:first")
    product.do("run -d --net=other --name=c")
    product.do("run -d --name=d")
    product.do("run -d --name=e")


def ask(product: Product, path: str) -> Any:
    connection = UnixConnection("localhost")
    connection.connect_to(f"{product.state_dir}/web.sock")
    connection.request("GET", f"/api/v1/{path}")
    return json.loads(connection.getresponse().read())


class UnixConnection(http.client.HTTPConnection):
    def connect_to(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)


def test_one_reaches_the_other_by_address_and_by_name(product: Product) -> None:
    told = json.loads(product.do("check a b --json"))
    assert (told["reachable"], told["reason"]) == (True, "")
    assert told["address"]["received"] == 3 and told["address"]["rtt_ms"] < 500
    assert (told["name"]["answers"], told["name"]["step"]) == ([told["address"]["target"]], "name")
    assert all(step["ok"] for step in told["path"])
    text = product.do("check a b")
    assert "answers in" in text and "known by name" in text


def test_networks_are_kept_apart_and_the_reason_says_what_mends_it(product: Product) -> None:
    done = product.run("check", "a", "c")
    assert done.returncode == 1
    assert "a and c are on no common network; networks are kept apart." in done.stdout
    assert "netadmin network connect other a" in done.stdout
    told = json.loads(product.run("check", "a", "c", "--json").stdout)
    assert told["reachable"] is False and told["address"]["received"] == 0


def test_the_default_bridge_has_addresses_but_no_names(product: Product) -> None:
    told = json.loads(product.do("check d e --json"))
    assert told["reachable"] is True and told["name"]["answers"] == []
    assert "no name service" in told["reason"]


def test_an_alias_is_not_taken_for_the_beginning_of_an_id(product: Product) -> None:
    (c,) = json.loads(product.do("inspect c"))
    alias = c["Id"][:3]
    product.do(f"network connect --alias {alias} lab d")
    told = json.loads(product.do(f"check a {alias} --json"))
    address = product.addresses_on("lab")["d"].partition("/")[0]
    assert (told["target"], told["to"], told["reachable"]) == (None, alias, True)
    assert told["address"]["target"] == address and told["name"]["step"] == "alias"
    product.do("network disconnect lab d")


def test_a_stopped_container_and_an_unknown_name_are_told(product: Product) -> None:
    product.do("run -d --net=lab --name=s")
    product.do("stop s")
    told = json.loads(product.run("check", "a", "s", "--json").stdout)
    assert (told["reachable"], told["reason"]) == (False, "s does not run on host node1.")
    assert told["advice"] == "Start it: netadmin start s"
    assert product.run("check", "nobody", "a").stderr.startswith("Error: There is no container 'nobody'")
    product.do("rm s")


def test_a_name_is_answered_by_the_step_that_the_name_service_takes(product: Product) -> None:
    address = product.addresses_on("lab")["a"].partition("/")[0]
    for asker, name, step in (("b", "a", "name"), ("b", "web", "alias"), ("b", "first", "link")):
        assert product.do(f"resolve {asker} {name}") == f"{name} is {address}, known by {step}."
    assert product.run("resolve", "a", "first").returncode == 1


def test_a_matrix_tells_every_pair(product: Product) -> None:
    told = ask(product, "matrix/?container=a&container=b&container=c")
    assert [each["name"] for each in told["containers"]] == ["a", "b", "c"]
    names = {each["id"]: each["name"] for each in told["containers"]}
    cells = {(names[cell["source"]], names[cell["target"]]): cell for cell in told["cells"]}
    assert len(cells) == 6
    for pair, cell in cells.items():
        together = "c" not in pair
        assert (cell["reachable"], cell["name"]) == (together, True if together else None), pair
        assert (cell["loss"], bool(cell["reason"])) == ((0, False) if together else (1, True)), pair
    assert told["seconds"] < 3
    on_lab = ask(product, "matrix/?network=lab")
    assert [each["name"] for each in on_lab["containers"]] == ["a", "b"] and len(on_lab["cells"]) == 2
    assert ask(product, "matrix/")["code"] == "bad_input"
    assert ask(product, "matrix/?netwrok=lab")["code"] == "bad_input"


def test_the_devices_of_a_network_are_shown_as_they_are_in_the_kernel(product: Product) -> None:
    (told,) = ask(product, "links/?network=lab")
    assert (told["host"], told["error"]) == ("node1", "")
    bridge, *ports = told["links"]
    network = product.inspect_network("lab")
    assert (bridge["kind"], bridge["device"], bridge["up"]) == ("bridge", f"br-{network['Id'][:12]}", True)
    assert f"{network['IPAM']['Config'][0]['Gateway']}/16" in bridge["addresses"]
    assert {port["container"] for port in ports} == set(network["Containers"])
    assert all(port["kind"] == "port" and port["up"] and port["mtu"] == 1500 for port in ports)
    assert ask(product, "links/?network=host")[0]["links"] == []


def test_what_interfaces_counted_is_read_from_the_kernel(product: Product) -> None:
    def counted() -> dict[str, Any]:
        (found,) = [
            each for each in ask(product, "statistics/?container=a")["interfaces"] if each["name"] == "eth0"
        ]
        return dict(found)

    before = counted()
    assert (before["network"]["name"], before["mtu"], before["up"]) == ("lab", 1500, True)
    product.do("exec a ping -c3 -i0.2 b")
    assert counted()["tx_packets"] >= before["tx_packets"] + 3
    rows = ask(product, "statistics/?network=lab")["interfaces"]
    assert [(each["container"]["name"], each["name"]) for each in rows] == [("a", "eth0"), ("b", "eth0")]
