"""Published ports from the command line to the socket."""

import json
import re
import socket

from tests.product import Product
from tests.workers.host import await_true

SERVE = """
import socket
door = socket.create_server(("0.0.0.0", 80))
while True:
    door.accept()[0].sendall(b"served")
"""


def reaches(port: int, address: str = "127.0.0.1") -> bool:
    """The container's service answers there."""
    try:
        with socket.create_connection((address, port), 5) as connection:
            return connection.recv(100) == b"served"
    except OSError:
        return False


def test_a_published_port_is_shown_reached_and_given_back(product: Product) -> None:
    product.do("network create --subnet 10.50.0.0/24 shop")
    script = product.state_dir / "serve.py"
    script.write_text(SERVE)
    product.do(f"run -d --name web --net shop -p 8080:80 -p 127.0.0.1::80 -- python3 {script}")
    shown = product.do("port web").splitlines()
    assert shown[:2] == ["80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080"]
    automatic = re.fullmatch(r"80/tcp -> 127\.0\.0\.1:(\d+)", shown[2])
    assert automatic and 61000 <= int(automatic[1]) <= 65535
    assert "0.0.0.0:8080->80/tcp" in product.do("ps")
    settings = json.loads(product.do("inspect web"))[0]["NetworkSettings"]
    assert {"HostIp": "0.0.0.0", "HostPort": "8080"} in settings["Ports"]["80/tcp"]
    await_true(lambda: reaches(8080))
    assert reaches(int(automatic[1])) and reaches(8080, "10.50.0.1")
    assert not reaches(int(automatic[1]), "10.50.0.1")
    refused = product.refuse("run -d --name other --net shop -p 8080:80 -- sleep 5")
    assert "Bind for 0.0.0.0:8080 failed: port is already allocated to container web" in refused
    product.do("stop web")
    assert not reaches(8080)
    assert product.do("port web") == ""


def test_a_port_of_another_program_is_refused_and_nothing_is_taken_from_it(product: Product) -> None:
    with socket.create_server(("127.0.0.1", 8085)):
        refused = product.refuse("run -d --name late -p 8085:80 -- sleep 100000")
        assert "Bind for 0.0.0.0:8085 failed: port is already allocated" in refused
    product.do("rm -f late")
