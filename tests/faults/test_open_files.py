"""A process may open no more files: it says so in a sentence, and goes on with what it has; so do all others."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest

from tests.faults.kills import eventually, settle
from tests.product import Product

FULL = (
    "Error: The server has as many connections and files open as it may; try again in a moment, "
    "or raise its limit (LimitNOFILE).\n"
)


@contextmanager
def limited(product: Product, part: str, room: int) -> Iterator[None]:
    """The part may open at most so many more files than it has open now."""
    pid = product.find_part(part)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir(f"/proc/{pid}/fd")))
    # Not the hard limit: it could not be raised again.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + room, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def furnished(product: Product) -> Iterator[Product]:
    product.do("network create few")
    for name in ("alice", "bob"):
        product.do(f"run -d --name {name} --net few -- sleep 100000")
    yield product
    product.do("rm -f alice bob")
    product.do("network rm few")
    settle(product, "all removed")


def test_every_service_may_open_as_many_files_as_it_is_allowed_to(furnished: Product) -> None:
    """The usual soft limit is 1024."""
    for part in ("web server", "name service", "port service", "supervisor"):
        soft, hard = resource.prlimit(furnished.find_part(part), resource.RLIMIT_NOFILE)
        assert soft == hard, part


def test_a_web_server_out_of_descriptors_says_so_and_comes_back(furnished: Product) -> None:
    address, _, port = furnished.listen.rpartition(":")
    before = HTTPConnection(address, int(port), timeout=60)
    before.connect()
    with limited(furnished, "web server", 64):
        with ExitStack() as idle:
            # As many as there is room for, whatever else it has open; the others wait to be taken.
            for _ in range(64):
                idle.enter_context(socket.create_connection((address, int(port))))
            # At first some are cut off; but who says nothing makes room for who is told.
            eventually(lambda: all(furnished.run("network", "ls").stderr == FULL for _ in range(20)))
            before.request("GET", "/healthz")
            assert before.getresponse().status == 200
            # Hosts need no server for what is there.
            assert furnished.ping("alice", "bob").returncode == 0
        eventually(lambda: furnished.run("network", "ls").returncode == 0)
    settle(furnished, "the web server has room again")


def test_a_name_service_out_of_descriptors_answers_where_it_does(furnished: Product) -> None:
    with limited(furnished, "name service", 8):
        done = furnished.run("run", "-d", "--name", "carol", "--net", "few")
        text = "The name service has too many open files to answer in sandbox carol too; raise its limit"
        assert text in done.stderr, done
        assert furnished.ping("alice", "bob").returncode == 0
        assert furnished.ping("bob", "alice").returncode == 0
    eventually(lambda: furnished.run("start", "carol").returncode == 0)
    eventually(lambda: furnished.ping("carol", "alice").returncode == 0)
    settle(furnished, "the name service has room again")
    furnished.do("rm -f carol")


def test_a_supervisor_out_of_descriptors_begins_nothing_by_halves(furnished: Product) -> None:
    with limited(furnished, "supervisor", 8):
        done = furnished.run("run", "-d", "--name", "carol", "--net", "few", "--", "sleep", "100000")
        text = "The supervisor of processes has too many open files to begin another one; raise its limit"
        assert text in done.stderr, done
        assert text in furnished.run("exec", "alice", "true").stderr
        # What needs no process is made, and what runs can be ended.
        furnished.do("network create more")
        furnished.do("network connect more bob")
        furnished.do("network disconnect more bob")
        furnished.do("network rm more")
        furnished.do("stop -t 0 bob")
    eventually(lambda: furnished.run("start", "bob").returncode == 0)
    furnished.do("exec alice true")
    settle(furnished, "the supervisor has room again")
    furnished.run("rm", "-f", "carol")
    settle(furnished, "carol is gone")
