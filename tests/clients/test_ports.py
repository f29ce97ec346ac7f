"""`docker run -p` of the unmodified client: a port of the host leads into the container."""

import socket
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.docker import Docker
from tests.workers.host import await_true

PATIENCE = 60.0


def fetch(address: str) -> str:
    """What is served there, as soon as it is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(address, timeout=3) as answer:
                return str(answer.read().decode())
        except OSError:
            assert time.monotonic() < deadline, address
            time.sleep(0.2)


def test_a_published_port_is_told_and_leads_inside(docker: Docker) -> None:
    docker.do("run -d --name server -p 127.0.0.1:8099:8000 host python3 -m http.server 8000")
    assert docker.do("port server") == "8000/tcp -> 127.0.0.1:8099"
    assert "8099->8000/tcp" in docker.do("ps --format {{.Ports}}")
    assert "Directory listing" in fetch("http://127.0.0.1:8099/")
    refused = docker.run("run", "-d", "--name", "second", "-p", "127.0.0.1:8099:80", "host")
    assert refused.returncode == 125
    assert "Bind for 127.0.0.1:8099 failed: port is already allocated" in refused.stderr
    docker.run("rm", "-f", "server", "second")


@pytest.mark.parametrize("command", ["sleep 60", ""])
def test_a_port_of_a_foreign_program_leaves_the_container_created(docker: Docker, command: str) -> None:
    with socket.create_server(("127.0.0.1", 8098)):
        refused = docker.run("run", "-d", "--name", "third", "-p", "8098:80", "host", *command.split())
        assert refused.returncode == 125
        endpoint = "driver failed programming external connectivity on endpoint third ("
        assert "failed to set up container networking: " + endpoint in refused.stderr
        assert "Bind for 0.0.0.0:8098 failed: port is already allocated" in refused.stderr
        assert docker.do("ps -a --filter name=third --format {{.Status}}") == "Created"
        assert "8098" in docker.do("inspect -f {{.State.Error}} third")
        await_true(lambda: not Path("/run/netns/third").exists(), PATIENCE)
    assert docker.do("start third") == "third"
    assert docker.do("ps --filter name=third --format {{.Status}}").startswith("Up ")
    docker.do("rm -f third")
