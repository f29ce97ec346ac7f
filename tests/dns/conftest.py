"""A private host with a name service, two name servers on its loopback, and sandboxes on demand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dns.host import NameServer, delete_namespace, make_namespace
from tests.dns.upstream import Upstream
from tests.isolation import enter_private_host, require_root

FIRST, SECOND = "127.0.0.53", "127.0.0.54"


@pytest.fixture(scope="session", autouse=True)
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture
def sandbox() -> Iterator[Callable[[str], str]]:
    """Make a namespace of that name, gone after the test."""
    made: list[str] = []

    def make(name: str) -> str:
        make_namespace(name)
        made.append(name)
        return name

    yield make
    for name in made:
        delete_namespace(name)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    """A running name service whose host has the servers of `upstream` and `second`."""
    server = NameServer(tmp_path)
    server.resolv_conf.write_text(f"nameserver {FIRST}\nnameserver {SECOND}\n")
    server.start()
    yield server
    server.client.close()
    server.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream(FIRST)
    yield upstream
    upstream.close()


@pytest.fixture
def second() -> Iterator[Upstream]:
    second = Upstream(SECOND, answer="203.0.113.10")
    yield second
    second.close()
