"""Changes, restarts and namespaces that come and go, with the real process."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable

import dns.message
import pytest

from tests.dns.host import (
    NameServer,
    container_id,
    delete_namespace,
    dig,
    holder,
    inside,
    make_namespace,
    tcp_to,
    udp_to,
    view,
    wait_until,
)
from workers.contract.names import View

MakeSandbox = Callable[[str], str]
WEB = holder("web", "app", ipv4="10.1.0.2", order=1)
SPARE = holder("spare", "app", ipv4="10.1.0.3", order=2)


def answers(door: socket.socket, name: str) -> list[str]:
    door.send(dns.message.make_query(name, "A").to_wire())
    reply = dns.message.from_wire(door.recv(4096))
    return [record.to_text() for rrset in reply.answer for record in rrset]


def answers_in(sandbox: str, name: str) -> list[str] | None:
    """None: nobody listens there."""
    with udp_to(sandbox, seconds=1) as door:
        try:
            return answers(door, name)
        except OSError:
            return None


def descriptors(server: NameServer) -> int:
    assert server.process is not None
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def link_exists(name: str) -> bool:
    return os.path.exists(f"/sys/class/net/{name}")


def test_after_an_update_has_returned_no_old_answer_comes(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    server.client.update([WEB, SPARE, view(asker, "a")], [])
    with udp_to(asker) as door:
        for _ in range(100):
            server.client.update([], [("holder", WEB.endpoint)])
            assert answers(door, "app") == ["10.1.0.3"]
            server.client.update([WEB], [])
            assert answers(door, "app") == ["10.1.0.2", "10.1.0.3"]


def test_a_change_elsewhere_leaves_the_kept_answers(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    server.client.update([WEB, view(asker, "a")], [])
    with udp_to(asker) as door:
        answers(door, "app")
        server.client.update([holder("other", network="b", ipv4="10.2.0.2")], [])
        hits = server.client.stats()["cache_hits"]
        answers(door, "app")
        assert server.client.stats()["cache_hits"] == hits + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_restart_names_answer_before_anybody_speaks_to_it(
    server: NameServer, sandbox: MakeSandbox, number: int
) -> None:
    asker = sandbox("asker")
    server.client.update([WEB, SPARE, view(asker, "a")], [])
    server.client.update([], [("holder", WEB.endpoint)])
    status = server.stop(number)
    assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert server.socket.exists() is (number == signal.SIGKILL)
    assert answers_in(asker, "app") is None
    server.launch()
    wait_until(lambda: answers_in(asker, "app") == ["10.1.0.3"])
    # The client that was connected to the former process finds the new one.
    assert server.client.stats()["holders"] == 1


def test_sync_replaces_everything_and_interrupts_nothing_that_stays(
    server: NameServer, sandbox: MakeSandbox
) -> None:
    stays, goes = sandbox("stays"), sandbox("goes")
    server.client.update([WEB, view(stays, "a"), view(goes, "a")], [])
    with tcp_to(stays) as door:
        assert server.client.sync([SPARE, view(stays, "a")]) == {}
        assert answers_in(goes, "app") is None
        assert answers_in(stays, "app") == ["10.1.0.3"]
        packet = dns.message.make_query("app", "A").to_wire()
        door.sendall(len(packet).to_bytes(2, "big") + packet)
        assert door.recv(1) != b""
    assert {key: server.client.stats()[key] for key in ("views", "holders")} == {"views": 1, "holders": 1}
    server.stop()
    server.start()
    assert answers_in(stays, "app") == ["10.1.0.3"]
    assert server.client.stats()["views"] == 1


def test_a_removed_view_lets_its_namespace_die(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    subprocess.run(["ip", "link", "add", "vtest", "type", "veth", "peer", "eth0", "netns", asker], check=True)
    before = descriptors(server)
    server.client.update([WEB, view(asker, "a")], [])
    with tcp_to(asker) as door:
        wait_until(lambda: descriptors(server) == before + 3)
        started = time.monotonic()
        assert server.client.update([], [("view", container_id(asker))]) == {}
        assert time.monotonic() - started < 2
        assert descriptors(server) == before
        assert door.recv(1) == b""
    delete_namespace(asker)
    wait_until(lambda: not link_exists("vtest"), seconds=1.5)


def test_a_namespace_deleted_behind_our_back_is_let_go(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    subprocess.run(["ip", "link", "add", "vtest", "type", "veth", "peer", "eth0", "netns", asker], check=True)
    server.client.update([view(asker, "a")], [])
    delete_namespace(asker)
    wait_until(lambda: not link_exists("vtest"), seconds=6)
    assert server.client.stats()["failed_views"] == 1


def test_a_view_without_namespace_is_reported_kept_and_served_when_it_comes(
    server: NameServer, sandbox: MakeSandbox
) -> None:
    failures = server.client.update([WEB, view("late", "a")], [])
    assert list(failures) == [("view", container_id("late"))]
    assert "network namespace late cannot be opened" in failures["view", container_id("late")]
    sandbox("late")
    wait_until(lambda: answers_in("late", "app") == ["10.1.0.2"], seconds=6)
    assert server.client.stats()["failed_views"] == 0


def test_a_missing_view_is_tried_again_with_the_next_update(server: NameServer, sandbox: MakeSandbox) -> None:
    server.client.update([WEB, view("late", "a")], [])
    sandbox("late")
    assert server.client.update([SPARE], []) == {}
    assert answers_in("late", "app") == ["10.1.0.2", "10.1.0.3"]


def test_a_namespace_made_anew_under_the_same_name_is_served(
    server: NameServer, sandbox: MakeSandbox
) -> None:
    asker = sandbox("asker")
    server.client.update([WEB, view(asker, "a")], [])
    delete_namespace(asker)
    make_namespace(asker)
    assert server.client.update([view(asker, "a")], []) == {}
    assert answers_in(asker, "app") == ["10.1.0.2"]


def test_a_renamed_sandbox_keeps_its_sockets(server: NameServer, sandbox: MakeSandbox) -> None:
    old = sandbox("old")
    server.client.update([WEB, view(old, "a")], [])
    with open("/run/netns/new", "w"):
        pass
    subprocess.run(["mount", "--bind", "/run/netns/old", "/run/netns/new"], check=True)
    try:
        with tcp_to(old) as door:
            renamed = View(container=container_id(old), sandbox="new", attachments=view(old, "a").attachments)
            assert server.client.update([renamed], []) == {}
            packet = dns.message.make_query("app", "A").to_wire()
            door.sendall(len(packet).to_bytes(2, "big") + packet)
            assert door.recv(1) != b""
    finally:
        delete_namespace("new")


def test_a_taken_port_is_reported_and_served_once_free(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    with inside(asker):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(("127.0.0.11", 53))
    with other:
        failures = server.client.update([WEB, view(asker, "a")], [])
        assert "Another program in sandbox asker holds port 53" in failures["view", container_id(asker)]
    assert server.client.update([view(asker, "a")], []) == {}
    assert answers_in(asker, "app") == ["10.1.0.2"]


def test_a_sandbox_is_served_as_soon_as_its_loopback_is_up(server: NameServer) -> None:
    subprocess.run(["ip", "netns", "add", "early"], check=True)
    try:
        failures = server.client.update([WEB, view("early", "a")], [])
        assert "The loopback of sandbox early is down" in failures["view", container_id("early")]
        subprocess.run(["ip", "-n", "early", "link", "set", "lo", "up"], check=True)
        assert server.client.update([view("early", "a")], []) == {}
        assert answers_in("early", "app") == ["10.1.0.2"]
    finally:
        delete_namespace("early")


def test_everything_works_on_the_stock_loop(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    server.stop()
    server.without_uvloop = True
    server.start()
    before = descriptors(server)
    server.client.update([WEB, view(asker, "a")], [])
    assert dig(asker, "app").values == ["10.1.0.2"]
    assert dig(asker, "app", "+tcp").values == ["10.1.0.2"]
    assert dig(asker, "nosuch").status == "SERVFAIL"
    assert dig(asker, "nosuch", "+tcp").status == "SERVFAIL"
    with tcp_to(asker) as door:
        wait_until(lambda: descriptors(server) == before + 3)
        server.client.update([], [("view", container_id(asker))])
        assert descriptors(server) == before
        assert door.recv(1) == b""
    assert server.stop() == 0
