"""Accounts, clients and a host that answers, for tests of the server."""

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

# Django reads the environment when it is loaded, below.
_folder = tempfile.TemporaryDirectory(prefix="netadmin-test-")
os.environ.setdefault("NETADMIN_STATE_DIR", _folder.name)
os.environ.setdefault("NETADMIN_HOST_NAME", "node1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netadmin.settings")

import django  # noqa: E402
import pytest  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402

# Each test client looks up every static file, and each password is hashed 1 000 000 times: neither is tested here.
settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

from apps.delivery import rows, sender, waiting  # noqa: E402
from netadmin.environment import Environment  # noqa: E402
from tests.redis_server import run_redis  # noqa: E402
from tests.server.hosts import AnsweringHosts, enrol_host  # noqa: E402
from tests.server.people import make_client  # noqa: E402


@pytest.fixture(autouse=True)
def gathered_is_what_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test changes: what is sent to a host without being read again is what would have been read."""

    def read_and_compare(host: Any, gathered: Any) -> Any:
        sent = rows.gathered_rows(host, gathered)
        recorded = [
            row for row in rows.changes_since(host, host.revision - 1) if row.revision == host.revision
        ]
        # A change that came between, in a test of several at once, may have changed one of them again.
        if host.revision == type(host).objects.get(pk=host.pk).revision:
            assert sorted(sent, key=str) == sorted(recorded, key=str)
        return sent

    monkeypatch.setattr(sender, "gathered_rows", read_and_compare)


@pytest.fixture(scope="module")
def private_redis() -> Iterator[None]:
    with run_redis(Environment.read().redis_socket.parent):
        yield


@pytest.fixture
def client_of(db: None) -> Callable[[str], Any]:
    """A REST client by role: admin, operator, read-only, or nobody."""
    return make_client


@pytest.fixture
def operator(client_of: Callable[[str], Any]) -> Any:
    return client_of("operator")


@pytest.fixture
def node1(db: None) -> Any:
    """The server's own host, with the predefined networks, enrolled and up to date."""
    return enrol_host("node1")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, private_redis: None) -> Any:
    """Whoever waits for a host has its answer: everything is as it should be, unless `failing` says otherwise."""
    hosts = AnsweringHosts()
    monkeypatch.setattr(waiting, "await_either", hosts.answer)
    return hosts
