"""The supervisor's suite: real processes in real namespaces of a private host; none is left by any test."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.isolation import enter_private_host, require_root
from tests.redis_server import run_redis
from tests.runtimes.host import Machine, Session

FILES = {"resolv.conf": "nameserver 127.0.0.11\n", "hosts": "127.0.0.1 localhost\n", "hostname": "webhost\n"}


@pytest.fixture(scope="session", autouse=True)
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="session")
def redis_url(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(autouse=True)
def box(private_host: None) -> Iterator[str]:
    """A namespace called `box` with files of its own."""
    subprocess.run(["ip", "netns", "add", "box"], check=True)
    folder = Path("/etc/netns/box")
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    yield "box"
    left = subprocess.run(["ip", "netns", "pids", "box"], check=True, capture_output=True, text=True).stdout
    subprocess.run(["ip", "netns", "delete", "box"], check=True)
    shutil.rmtree(folder)
    assert left == ""
    assert os.listdir("/run/netns") == []


@pytest.fixture
def machine(box: str, redis_url: str, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, redis_url)
    yield machine
    machine.close()


@pytest.fixture
def open_session(redis_url: str) -> Iterator[Callable[[str], Session]]:
    opened: list[Session] = []

    def open_(id: str) -> Session:
        opened.append(Session(redis_url, id))
        return opened[-1]

    yield open_
    for session in opened:
        session.close()
