import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.unit.cli.conftest import FarEnd, Invoke
from tests.unit.cli.samples import page

Remote = tuple[FarEnd, str]


def test_login_checks_the_token_and_stores_it_for_the_owner_alone(
    netadmin: Invoke, remote: Remote, clean_environment: Path
) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"name": "jo", "role": "operator"})
    far_end.tell("GET", "networks/", page())
    result = netadmin("login", url + "/", "--token", "nad_k.s")
    assert result.exit_code == 0 and f"Signed in at {url} as jo (operator)" in result.stdout
    path = clean_environment / "config/netadmin/login.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert netadmin("network", "ls").exit_code == 0
    assert [request.authorization for request in far_end.requests] == ["Bearer nad_k.s"] * 2


def test_login_asks_for_a_missing_token_without_showing_it(remote: Remote) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"name": "jo", "role": "admin"})
    terminal = Terminal([sys.executable, "-m", "netadmin.cli", "login", url], os.environ)
    terminal.read_until("Token: ")
    terminal.write("nad_k.s\n")
    assert "nad_k.s" not in terminal.read_until("stored in")
    assert far_end.only.authorization == "Bearer nad_k.s"


def test_login_takes_a_token_that_is_piped_in(netadmin: Invoke, remote: Remote) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"name": "jo", "role": "admin"})
    assert netadmin("login", url, input="nad_k.s\n").exit_code == 0
    assert far_end.only.authorization == "Bearer nad_k.s"
    refused = netadmin("login", url, input="")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: There is no token: give one by --token, or as a line of standard input.\n",
    )


def test_a_refused_login_stores_nothing(netadmin: Invoke, remote: Remote, clean_environment: Path) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"code": "unknown_token", "message": "That token is not valid."}, 401)
    result = netadmin("login", url, "--token", "x")
    assert (result.exit_code, result.stderr) == (1, "Error: That token is not valid.\n")
    assert not (clean_environment / "config/netadmin/login.json").exists()


@pytest.mark.parametrize("url", ["example.test", "ftp://example.test", "http://", "http://a.test/?x=1"])
def test_login_refuses_what_is_no_server_address(netadmin: Invoke, url: str) -> None:
    result = netadmin("login", url, "--token", "x")
    assert result.exit_code == 1 and "is not the address of a server" in result.stderr


def test_logout_forgets_the_login(netadmin: Invoke, remote: Remote) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"name": "jo", "role": "admin"})
    netadmin("login", url, "--token", "x")
    assert netadmin("logout").exit_code == 0
    assert netadmin("logout").stderr == "Error: There is no stored login.\n"
    assert "No server runs here" in netadmin("network", "ls").stderr


def test_a_damaged_login_says_how_to_mend_it(netadmin: Invoke, clean_environment: Path) -> None:
    path = clean_environment / "config/netadmin/login.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    result = netadmin("network", "ls")
    assert result.exit_code == 1 and "sign in again with `netadmin login URL`" in result.stderr


def test_the_local_socket_needs_no_login_and_wins_over_a_stored_one(
    netadmin: Invoke, far_end: FarEnd, remote: Remote
) -> None:
    elsewhere, url = remote
    elsewhere.tell("GET", "me/", {"name": "jo", "role": "admin"})
    far_end.tell("GET", "networks/", page())
    netadmin("login", url, "--token", "x")
    assert netadmin("network", "ls").exit_code == 0
    assert far_end.only.authorization is None


def test_the_environment_wins_over_the_local_socket(
    netadmin: Invoke, far_end: FarEnd, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, url = remote
    elsewhere.tell("GET", "networks/", page())
    monkeypatch.setenv("NETADMIN_URL", url)
    monkeypatch.setenv("NETADMIN_TOKEN", "nad_e.s")
    assert netadmin("network", "ls").exit_code == 0
    assert elsewhere.only.authorization == "Bearer nad_e.s" and far_end.requests == []


def test_a_url_from_the_environment_never_gets_the_token_of_another_server(
    netadmin: Invoke, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_end, url = remote
    far_end.tell("GET", "me/", {"name": "jo", "role": "admin"})
    netadmin("login", url, "--token", "x")
    monkeypatch.setenv("NETADMIN_URL", url.replace("127.0.0.1", "localhost"))
    netadmin("network", "ls")
    assert far_end.requests[-1].authorization is None


def test_without_a_server_one_sentence_says_how_to_start_it(netadmin: Invoke) -> None:
    result = netadmin("network", "ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1 and "make run" in result.stderr


def test_a_socket_left_behind_by_a_killed_server_counts_as_no_server(
    netadmin: Invoke, clean_environment: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(clean_environment / "web.sock"))
    result = netadmin("network", "ls")
    assert result.exit_code == 1 and "make run" in result.stderr


def test_a_server_that_cannot_be_reached_is_told_in_one_line(
    netadmin: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETADMIN_URL", "http://127.0.0.1:1")
    result = netadmin("network", "ls")
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "http://127.0.0.1:1 cannot be reached (Connection refused)" in result.stderr


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (500, b"<html>", "HTTP status 500"),
        (404, b"<html>", "HTTP status 404"),
        (200, b"<html>", "not from a netadmin server"),
        (401, b"", "netadmin login URL"),
        (503, {"code": "host_silent", "message": "node1 is silent."}, "node1 is silent."),
    ],
)
def test_every_refusal_is_one_line(
    netadmin: Invoke, far_end: FarEnd, status: int, body: object, sentence: str
) -> None:
    far_end.tell("GET", "networks/", body, status)
    result = netadmin("network", "ls")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert sentence in result.stderr


def test_tokens_are_made_listed_and_taken_back(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "tokens/", {"id": 3, "name": "ci", "token": "nad_k.s"}, 201)
    far_end.tell("GET", "tokens/", page({"id": 3, "name": "ci", "expires": None}))
    far_end.tell("DELETE", "tokens/3/", None, 204)
    made = netadmin("token", "create", "ci", "--expires", "2030-01-31T12:00:00Z")
    assert made.stdout == "nad_k.s\n"
    assert far_end.requests[0].body == {"name": "ci", "expires": "2030-01-31T12:00:00Z"}
    assert netadmin("token", "ls").stdout == "ID   NAME   EXPIRES\n3    ci     never\n"
    assert netadmin("token", "rm", "3").stdout == "3\n"


def test_certificates_are_made_listed_and_taken_back(
    netadmin: Invoke, far_end: FarEnd, tmp_path: Path
) -> None:
    shown = {"id": 3, "name": "laptop", "user": "jo", "expires": "2030-01-31T12:00:00Z"}
    far_end.tell(
        "POST", "certificates/", {**shown, "certificate": "CERTIFICATE", "authority": "AUTHORITY"}, 201
    )
    far_end.tell("GET", "certificates/", page(shown))
    far_end.tell("DELETE", "certificates/3/", None, 204)
    folder = tmp_path / "own"
    assert netadmin("certificate", "create", "laptop", str(folder), "--user", "jo").stdout == "3\n"
    sent = far_end.requests[0].body
    assert (sent["name"], sent["user"], sent["expires"]) == ("laptop", "jo", None)
    assert sent["request"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    key = (folder / "key.pem").read_text()
    assert "PRIVATE KEY" in key and "PRIVATE" not in sent["request"]
    assert ((folder / "cert.pem").read_text(), (folder / "ca.pem").read_text()) == (
        "CERTIFICATE",
        "AUTHORITY",
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    again = netadmin("certificate", "create", "laptop", str(folder))
    assert again.exit_code == 1 and "is there already" in again.stderr
    assert (folder / "key.pem").read_text() == key
    assert netadmin("certificate", "ls").stdout.splitlines()[1].split()[:3] == ["3", "laptop", "jo"]
    assert netadmin("certificate", "rm", "3").stdout == "3\n"


def test_grants_are_made_listed_and_taken_back(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "grants/", {"id": 3}, 201)
    shown = {"id": 3, "team": "web", "network": "", "network_name": None, "label": "team", "value": "web"}
    far_end.tell("GET", "grants/", page({**shown, "commands": False, "members": ["eva", "jo"]}))
    far_end.tell("DELETE", "grants/3/", None, 204)
    assert netadmin("grant", "add", "web", "--label", "team=web").stdout == "3\n"
    body = {"team": "web", "network": None, "label": "team", "value": "web", "commands": False}
    assert far_end.requests[0].body == body
    assert "web    " in netadmin("grant", "ls").stdout
    assert "team=web" in netadmin("grant", "ls").stdout
    assert netadmin("grant", "rm", "3").stdout == "3\n"


def test_failed_sign_ins_are_listed_and_forgotten(netadmin: Invoke, far_end: FarEnd) -> None:
    shown = {"id": 3, "account": "", "address": "192.0.2.1", "count": 30, "locked": True}
    far_end.tell("GET", "failures/", page(shown))
    far_end.tell("DELETE", "failures/3/", None, 204)
    assert "any       192.0.2.1   30       yes" in netadmin("failure", "ls").stdout
    assert netadmin("failure", "rm", "3").stdout == "3\n"


def test_a_token_that_never_ends_is_asked_for(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "tokens/", {"id": 3, "name": "ci", "token": "nad_k.s"}, 201)
    netadmin("token", "create", "ci", "--expires", "never")
    assert far_end.only.body == {"name": "ci", "expires": None}


def test_the_host_option_stands_before_or_after_the_subcommand(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/a/inspect/", {})
    netadmin("--host", "node2", "network", "inspect", "a")
    netadmin("network", "inspect", "a", "--host", "node2")
    netadmin("--host", "node1", "network", "inspect", "a", "--host", "node2")
    assert [request.query for request in far_end.requests] == [[("host", "node2")]] * 3


def test_unknown_commands_and_flags_are_usage_errors(netadmin: Invoke) -> None:
    for words in (["nosuch"], ["network", "nosuch"], ["network", "ls", "--nosuch"], ["network", "rm"]):
        assert netadmin(*words).exit_code == 2, words


def run_program(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "netadmin.cli", *words], capture_output=True, text=True)


def test_the_version_is_told_in_both_ways(netadmin: Invoke) -> None:
    assert netadmin("--version").stdout == netadmin("version").stdout != ""


def test_the_module_runs_as_a_program_and_exits_with_its_status(far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/a/inspect/", {"Name": "a"})
    done = run_program("network", "inspect", "a")
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"Name": "a"}])
    assert run_program("network", "inspect", "b").returncode == 1
    assert run_program("network", "nosuch").returncode == 2
    assert run_program("version").stdout.startswith("netadmin ")


def test_it_loads_no_part_of_the_server_nor_the_websocket_library() -> None:
    heavy = "{'django', 'apps', 'workers', 'celery', 'websockets', 'pyroute2', 'asyncio'}"
    code = f"import sys, netadmin.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_it_starts_quickly() -> None:
    """Counted rather than timed: a start costs what it imports, and a busy machine must not decide."""

    def count_modules(code: str) -> int:
        return int(subprocess.check_output([sys.executable, "-c", f"{code}, sys; print(len(sys.modules))"]))

    assert count_modules("import netadmin.cli") < count_modules("import click, http.client") + 45


def test_purge_needs_root(monkeypatch: pytest.MonkeyPatch, netadmin: Invoke) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = netadmin("host", "purge")
    assert result.exit_code == 1 and "sudo netadmin host purge" in result.stderr
