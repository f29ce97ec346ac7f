"""The control socket and its client, at their edges."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.dns.host import NameServer, container_id, dig, holder, view
from workers.contract.names import Holder, View
from workers.dns.client import NameService, NameServiceError

MakeSandbox = Callable[[str], str]


def say(server: NameServer, line: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.connect(str(server.socket))
        door.sendall(line + b"\n")
        with door.makefile("rb") as stream:
            reply: dict[str, object] = json.loads(stream.readline())
            return reply


def test_the_socket_and_the_memory_are_for_their_owner_only(server: NameServer) -> None:
    assert server.socket.stat().st_mode & 0o777 == 0o600
    assert server.memory.stat().st_mode & 0o777 == 0o600


def test_as_many_files_may_be_open_as_the_machine_allows(server: NameServer) -> None:
    assert server.process is not None
    with open(f"/proc/{server.process.pid}/limits") as limits:
        (line,) = [line for line in limits if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"op":"dance"}', b'{"op":"update","delete":[["cat","x"]]}', b'{"op":"sync"}']
)
def test_a_request_that_makes_no_sense_is_answered_with_a_sentence(server: NameServer, line: bytes) -> None:
    reply = say(server, line)
    assert reply["ok"] is False
    assert str(reply["error"]).startswith("The request was not understood: ")
    assert say(server, b'{"op":"stats"}')["ok"] is True


def test_unknown_fields_of_a_newer_peer_are_ignored(server: NameServer) -> None:
    entry = {"kind": "holder", "endpoint": "e", "container": "c", "network": "n", "names": ["x"], "new": 1}
    assert say(server, json.dumps({"op": "update", "set": [entry], "new": 2}).encode()) == {
        "ok": True,
        "failed": [],
    }


def test_an_address_that_is_none_fails_alone_and_takes_the_old_names_away(
    server: NameServer, sandbox: MakeSandbox
) -> None:
    asker = sandbox("asker")
    good = holder("good", ipv4="10.1.0.3")
    server.client.update([holder("bad", ipv4="10.1.0.2"), view(asker, "a", forward=False)], [])
    failures = server.client.update([holder("bad", ipv4="10.1.0.2/24"), good], [])
    assert list(failures) == [("holder", "a-bad")]
    assert "no IPv4 address" in failures["holder", "a-bad"]
    assert dig(asker, "good").values == ["10.1.0.3"]
    assert dig(asker, "bad").status == "SERVFAIL"


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a/b", "a\0b"])
def test_a_sandbox_name_never_leaves_the_folder_of_namespaces(server: NameServer, name: str) -> None:
    failures = server.client.update([View(container="c", sandbox=name)], [])
    assert "is no name of a network namespace" in failures["view", "c"]


def test_a_file_that_is_no_namespace_is_reported(server: NameServer) -> None:
    with open("/run/netns/fake", "w"):
        pass
    try:
        failures = server.client.update([View(container="c", sandbox="fake")], [])
    finally:
        os.unlink("/run/netns/fake")
    assert "is no network namespace" in failures["view", "c"]


def test_names_answer_even_if_they_cannot_be_remembered(server: NameServer, sandbox: MakeSandbox) -> None:
    asker = sandbox("asker")
    with closing(sqlite3.connect(server.memory)) as other:
        other.execute("BEGIN IMMEDIATE")
        failures = server.client.update([holder("web", ipv4="10.1.0.2"), view(asker, "a")], [])
        other.rollback()
    assert list(failures) == [("memory", "")]
    assert "could not be written to disk" in failures["memory", ""]
    assert dig(asker, "web").values == ["10.1.0.2"]


def test_a_second_service_refuses_and_the_first_goes_on(server: NameServer) -> None:
    second = subprocess.run(server.arguments(), capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1
    assert second.stderr.strip() == f"A name service already answers on {server.socket}; stop that one first."
    assert server.client.stats()["views"] == 0


def test_a_memory_that_cannot_be_opened_is_said_in_one_sentence(server: NameServer) -> None:
    server.stop()
    arguments = server.arguments()
    arguments[arguments.index(str(server.memory))] = str(server.memory.parent / "missing" / "memory")
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("The memory file ")
    assert run.stderr.count("\n") == 1
    assert not server.socket.exists()


def test_thousands_of_entries_travel_in_one_request(server: NameServer) -> None:
    many = [
        Holder(
            endpoint=f"e{number}",
            container=container_id(f"{number}"),
            network="a",
            names=(f"n{number}", "all"),
        )
        for number in range(5000)
    ]
    assert server.client.sync(many) == {}
    assert server.client.stats()["holders"] == 5000


def test_explain_of_an_unknown_container_or_type_is_a_sentence(server: NameServer) -> None:
    with pytest.raises(NameServiceError, match="No view of container nobody is known"):
        server.client.explain("nobody", "x")
    server.client.update([View(container="c", sandbox="c")], [])
    with pytest.raises(NameServiceError, match="cannot be asked by DNS"):
        server.client.explain("c", "x", "NOTYPE")
    with pytest.raises(NameServiceError, match="cannot be asked by DNS"):
        server.client.explain("c", "x" * 64)
    with pytest.raises(NameServiceError, match="of type AXFR are refused"):
        server.client.explain("c", "x", "AXFR")


def test_a_service_that_is_not_there_or_does_not_answer_is_an_error(server: NameServer) -> None:
    client = NameService(str(server.socket), timeout=0.5)
    client.stats()
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        before = time.monotonic()
        with pytest.raises(NameServiceError, match=r"did not answer within 0\.5 s"):
            client.stats()
        assert time.monotonic() - before < 2
    finally:
        server.process.send_signal(signal.SIGCONT)
    client.stats()
    server.stop()
    for _ in range(2):
        with pytest.raises(NameServiceError, match="cannot be reached"):
            client.stats()
    client.close()
