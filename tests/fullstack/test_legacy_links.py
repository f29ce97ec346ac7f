"""Links on the default bridge: lines in the hosts file, variables, and the one way through where icc is off."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.product import Product


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("closed"), settings={"NETADMIN_BRIDGE_ICC": "0"})
    product.start()
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []


@pytest.fixture(scope="module", autouse=True)
def furnished(product: Product) -> None:
    product.do("run -d --name server -e COLOUR=green")
    product.do("run -d --name client --link server:db -- sleep 100000")
    product.do("run -d --name stranger")


def address(product: Product, container: str) -> str:
    return str(product.inspect_attachments(container)["bridge"]["IPAddress"])


def hosts_file(product: Product, container: str) -> set[str]:
    """The names in it; there is nothing else that could know a name on this network."""
    return {
        name
        for line in product.do(f"exec {container} cat /etc/hosts").splitlines()
        for name in line.split()[1:]
    }


def test_the_linked_pair_reaches_each_other_and_nobody_else_does(product: Product) -> None:
    server, client, stranger = (address(product, name) for name in ("server", "client", "stranger"))
    assert product.ping("client", server).returncode == 0
    assert product.ping("server", client).returncode == 0
    apart = (("stranger", server), ("server", stranger), ("stranger", client))
    # Each waits for an answer as long as it may.
    with ThreadPoolExecutor(len(apart)) as askers:
        assert [done.returncode for done in askers.map(lambda pair: product.ping(*pair), apart)] == [1, 1, 1]


def test_the_alias_is_in_the_linking_containers_hosts_file_alone(product: Product) -> None:
    assert product.ping("client", "db").returncode == 0
    assert product.ping("client", "server").returncode == 0
    assert {"db", "server"} <= hosts_file(product, "client")
    assert not {"db", "server", "client"} & hosts_file(product, "stranger")
    assert "client" not in hosts_file(product, "server")


def test_the_process_of_the_linking_container_has_the_variables(product: Product) -> None:
    pid = subprocess.run(["ip", "netns", "pids", "client"], capture_output=True, text=True).stdout.split()[0]
    environment = product.do(f"exec client cat /proc/{pid}/environ").split("\0")
    assert "DB_NAME=/client/db" in environment
    assert "DB_ENV_COLOUR=green" in environment


def test_line_and_hole_follow_the_target(product: Product) -> None:
    product.do("stop server")
    assert "db" not in hosts_file(product, "client")
    product.do("start server")
    assert product.ping("client", "db").returncode == 0


def test_without_the_setting_the_bridge_is_open_again_at_the_next_start(product: Product) -> None:
    assert product.stop() == 0
    product.settings.clear()
    product.start()
    deadline = time.monotonic() + 20
    while product.ping("stranger", address(product, "server")).returncode != 0:
        assert time.monotonic() < deadline


def test_a_link_to_nothing_is_refused_on_the_default_bridge(product: Product) -> None:
    assert product.refuse("run -d --name lost --link nosuch:x") == "Error: There is no container 'nosuch'."
    assert "lost" not in product.do("ps -a")
