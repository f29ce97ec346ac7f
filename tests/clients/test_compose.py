"""Compose, unmodified: a file with two networks and three services is brought up, works, and is torn down."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker import Docker
from tests.product import Product

FILE = """
services:
  web:
    image: host
    networks: {front: {ipv4_address: 10.71.0.80}, back: {aliases: [frontend]}}
    labels: {tier: web}
  app:
    image: host
    command: [sleep, "100000"]
    environment: {GREETING: hello}
    networks: [back]
  db:
    image: host
    hostname: database
    networks: [back]
networks:
  front:
    ipam: {config: [{subnet: 10.71.0.0/24}]}
  back:
    internal: true
"""


@pytest.fixture
def compose(docker: Docker, tmp_path: Path) -> Iterator["Compose"]:
    (tmp_path / "docker-compose.yml").write_text(FILE)
    compose = Compose(docker, tmp_path)
    yield compose
    compose.run("down")


class Compose:
    def __init__(self, docker: Docker, folder: Path) -> None:
        self._folder = folder
        # By itself this Compose asks for version 1.38 of the API, which is older than what we speak.
        self._environment = {**docker.shell, "COMPOSE_API_VERSION": "1.41", "COMPOSE_PROJECT_NAME": "shop"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["docker-compose", "--ansi", "never", *words]
        return subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=120
        )

    def do(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout


def test_two_networks_and_three_services_come_up_and_go(
    compose: Compose, docker: Docker, product: Product
) -> None:
    compose.do("up", "-d")
    assert set(docker.do("ps --format {{.Names}}").split()) == {"shop_web_1", "shop_app_1", "shop_db_1"}
    attachments = product.inspect_attachments("shop_web_1")
    assert attachments["shop_front"]["IPAddress"] == "10.71.0.80"
    assert set(attachments) == {"shop_front", "shop_back"}
    # Services are known by their names and aliases, on networks that are shared.
    product.reaches("shop_web_1", "db", product.inspect_attachments("shop_db_1")["shop_back"]["IPAddress"])
    product.reaches("shop_app_1", "frontend", attachments["shop_back"]["IPAddress"])
    assert product.ping("shop_app_1", "10.71.0.80").returncode != 0
    assert compose.do("exec", "-T", "app", "sh", "-c", "echo $GREETING; hostname").startswith("hello\n")
    assert compose.do("exec", "-T", "db", "hostname") == "database\n"
    assert "Up" in compose.do("ps")
    # Nothing is made anew when nothing has changed.
    before = docker.do("ps -q --no-trunc")
    compose.do("up", "-d")
    assert docker.do("ps -q --no-trunc") == before
    compose.do("stop", "-t", "1", "app")
    compose.do("start", "app")
    compose.do("down", "-t", "1")
    assert docker.do("ps -aq") == ""
    assert docker.do("network ls -q --filter type=custom") == ""
