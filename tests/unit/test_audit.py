"""`.ci/audit` beside a registry of our own: what is known of a locked version fails, and what is not told is said."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.audit import ROOT, audit_python, main

ADVISORY = {
    "id": "PYSEC-2099-1",
    "aliases": ["CVE-2099-1", "GHSA-aaaa-bbbb-cccc"],
    "summary": "Opens all doors.",
    "fixed_in": ["1.0.1"],
    "withdrawn": None,
}
SAME = {**ADVISORY, "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2099-1", "PYSEC-2099-1"]}
BULK = "/-/npm/v1/security/advisories/bulk"
NPM_ADVISORY = {
    "id": 1,
    "url": "https://advisories.example/GHSA-dddd-eeee-ffff",
    "title": "Closes no door.",
    "severity": "high",
    "vulnerable_versions": "<1.1.0",
}


class Registry(ThreadingHTTPServer):
    """Answers what `told` has for a path, else that there is no such thing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.told: dict[str, Any] = {}
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        told = self.server.told.get(self.path)
        text = json.dumps(told or {}).encode()
        self.send_response(404 if told is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    thread = threading.Thread(target=registry.serve_forever)
    thread.start()
    yield registry
    registry.shutdown()
    thread.join()
    registry.server_close()


def tell(newest: str, vulnerabilities: list[Any], yanked: bool = False) -> dict[str, Any]:
    files = [{"yanked": yanked, "yanked_reason": "Deletes everything." if yanked else None}]
    return {"info": {"version": newest}, "releases": {"1.0.0": files}, "vulnerabilities": vulnerabilities}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One Python package and one of npm are locked."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "accepted-weaknesses").write_text("# none\n")
    (tmp_path / "requirements.lock").write_text("one==1.0.0 \\\n    --hash=sha256:00\n")
    folder = tmp_path / "frontend"
    folder.mkdir()
    needs = {"name": "x", "version": "0.0.0", "dependencies": {"two": "1.0.0"}}
    (folder / "package.json").write_text(json.dumps(needs))
    packages = {"": needs, "node_modules/two": {"version": "1.0.0"}}
    lock = {"name": "x", "version": "0.0.0", "lockfileVersion": 3, "packages": packages}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


@pytest.fixture
def settings(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{registry.address}/simple/")
    monkeypatch.setenv("npm_config_registry", f"{registry.address}/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    # Where npm is, when the machine has none of its own.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("settings")
def test_ci_fails_on_what_is_known_of_a_locked_version(project: Path, registry: Registry) -> None:
    versions = {version: {"name": "two", "version": version} for version in ("1.0.0", "1.1.0")}
    registry.told = {
        "/pypi/one/json": tell("1.0.0", [ADVISORY, SAME]),
        "/two": {"name": "two", "dist-tags": {"latest": "1.1.0"}, "versions": versions},
        BULK: {"two": [NPM_ADVISORY]},
    }
    command = [ROOT / ".ci" / "audit", project]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    python, dashboard = (line for line in done.stdout.splitlines() if line.startswith("Error: "))
    assert python.startswith(
        "Error: one 1.0.0: PYSEC-2099-1, CVE-2099-1, GHSA-aaaa-bbbb-cccc: Opens all doors."
    )
    assert dashboard == "Error: two: GHSA-dddd-eeee-ffff: Closes no door. (in <1.1.0)"
    accepted = project / ".ci" / "accepted-weaknesses"
    accepted.write_text("CVE-2099-1 we have no doors\nGHSA-dddd-eeee-ffff none to close either\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "accepted, we have no doors: one 1.0.0" in done.stdout


@pytest.mark.usefixtures("settings")
def test_an_older_version_is_asked_for_by_itself(project: Path, registry: Registry) -> None:
    registry.told = {
        "/pypi/one/json": tell("2.0.0", []),
        "/pypi/one/1.0.0/json": tell("1.0.0", [ADVISORY]),
    }
    told = audit_python(project)
    assert [weakness.names[0] for weakness in told.weaknesses] == ["PYSEC-2099-1"]
    assert told.untold == {}


@pytest.mark.usefixtures("settings")
def test_what_was_withdrawn_counts_and_an_advisory_that_was_does_not(
    project: Path, registry: Registry
) -> None:
    registry.told = {"/pypi/one/json": tell("1.0.0", [{**ADVISORY, "withdrawn": "2099-01-01T00:00:00Z"}])}
    assert audit_python(project).weaknesses == set()
    registry.told = {"/pypi/one/json": tell("2.0.0", [], yanked=True)}
    (weakness,) = audit_python(project).weaknesses
    assert str(weakness) == "one 1.0.0: withdrawn-one-1.0.0: Deletes everything."


@pytest.mark.usefixtures("settings")
def test_what_is_not_told_is_said_and_fails_nothing(
    project: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.told = {"/pypi/one/json": tell("2.0.0", [ADVISORY])}
    assert main(project) == 0
    told = capsys.readouterr().out
    assert "Python: 1 packages are locked, of 0 the registry" in told
    assert "untold, only newer versions are told of: one 1.0.0" in told
    assert "dashboard: 1 packages are locked, of 0 the registry" in told
    registry.told = {}
    assert audit_python(project).untold == {"unknown to the registry": ["one 1.0.0"]}


def test_a_registry_that_is_away_tells_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
    assert [len(names) for names in audit_python(project).untold.values()] == [1]
