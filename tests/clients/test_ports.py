"""`docker run -p` of the unmodified client: a port of the host leads into the container."""

import time
from urllib.request import urlopen

from tests.docker import Docker

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
    assert refused.returncode == 125 and "8099" in refused.stderr
    docker.run("rm", "-f", "server", "second")
