"""netadmin host and worker: what is asked of the server, and what a person reads."""

import os
from typing import Any

import pytest

from tests.unit.cli.conftest import FarEnd, Invoke

COMMAND = "netadmin worker join http://192.168.5.11:8000 --token naj_0123456789ab.secret"


def test_add_prints_the_command_alone_and_the_hint_beside_it(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "hosts/", {"name": "node2", "join_command": COMMAND}, 201)
    result = netadmin("host", "add", "node2", "--advertise", "192.168.5.12")
    assert (result.exit_code, result.stdout) == (0, COMMAND + "\n")
    assert result.stderr == "Run this as root on node2, within an hour; it works once:\n"
    assert far_end.only.body == {"name": "node2", "advertise": "192.168.5.12"}


def test_renew_prints_a_new_command(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "hosts/node2/renew/", {"name": "node2", "join_command": COMMAND})
    assert netadmin("host", "renew", "node2").stdout == COMMAND + "\n"


@pytest.mark.parametrize("action", ["drain", "undrain", "revoke"])
def test_several_hosts_are_changed_and_a_failure_among_them_is_told(
    netadmin: Invoke, far_end: FarEnd, action: str
) -> None:
    refusal = {"code": "host_not_found", "message": "There is no host named 'node8'.", "field": "host"}
    far_end.tell("POST", f"hosts/node8/{action}/", refusal, 404)
    far_end.tell("POST", f"hosts/node2/{action}/", {"name": "node2"})
    result = netadmin("host", action, "node8", "node2")
    assert (result.exit_code, result.stdout) == (1, "node2\n")
    assert result.stderr == "Error: There is no host named 'node8'.\n"


@pytest.mark.parametrize(("flags", "query"), [([], []), (["-f"], [("force", "1")])])
def test_rm_removes_by_force_only_when_told(
    netadmin: Invoke, far_end: FarEnd, flags: list[str], query: list[tuple[str, str]]
) -> None:
    far_end.tell("DELETE", "hosts/node2/", None, 204)
    assert netadmin("host", "rm", *flags, "node2").stdout == "node2\n"
    assert far_end.only.query == query


@pytest.mark.parametrize(("given", "sent"), [("192.168.5.22", "192.168.5.22"), ("", None)])
def test_set_gives_or_takes_the_advertise_address(
    netadmin: Invoke, far_end: FarEnd, given: str, sent: str | None
) -> None:
    far_end.tell("PATCH", "hosts/node2/", {"name": "node2"})
    assert netadmin("host", "set", "node2", "--advertise", given).exit_code == 0
    assert (far_end.only.method, far_end.only.body) == ("PATCH", {"advertise": sent})


@pytest.mark.parametrize(
    "words",
    [
        ("worker", "join", "http://192.168.5.11:8000", "--token", "naj_a.b", "--no-start"),
        ("worker", "run", "--state-dir", "/srv/netadmin", "--host", "node2"),
    ],
)
def test_the_worker_takes_the_place_of_the_command_line(
    netadmin: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    became: list[Any] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "execv", lambda program, arguments: became.append(arguments[1:]))
    assert netadmin(*words).exit_code == 0
    assert became == [["-m", "workers", *words[1:]]]


def test_only_root_becomes_a_host(netadmin: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = netadmin("worker", "run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run `sudo netadmin worker run`" in result.stderr
