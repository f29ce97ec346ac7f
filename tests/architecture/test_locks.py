"""What is installed is what was locked: each package at one version, with digests of its files, from no named place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT

LOCKS = sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("docker/*.lock")])
ENTRY = re.compile(
    r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[^\s;]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
)


def test_all_locks_are_looked_at() -> None:
    assert {lock.name for lock in LOCKS} == {
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-node.lock",
        "requirements-worker.lock",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_each_package_of_python_is_pinned_with_digests(lock: Path) -> None:
    lines = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    entries = [entry for entry in re.split(r"\n(?! )", lines) if entry.strip()]
    assert entries
    assert [entry.split("\n")[0] for entry in entries if not ENTRY.fullmatch(entry.rstrip())] == []
    assert "://" not in lines


def test_each_package_of_the_dashboard_is_pinned_with_a_digest() -> None:
    lock: dict[str, Any] = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    loose = [
        path
        for path, package in packages.items()
        if not re.match(r"sha512-\S{86}==", package.get("integrity", "")) or not package.get("version")
    ]
    assert loose == []
    assert [path for path, package in packages.items() if "resolved" in package] == []


def test_what_is_installed_is_asked_for_by_digest() -> None:
    """By every script and image; only the tool that writes the locks comes without, into a folder of its own."""
    scripts = [*(ROOT / ".ci").iterdir(), *ROOT.glob("docker/*.Dockerfile"), ROOT / "Makefile"]
    lines = [
        f"{script.name}: {line.strip()}"
        for script in scripts
        for line in script.read_text().replace("\\\n", " ").splitlines()
        if re.search(r"pip\S* install|npm (install|i|add)\b", line)
    ]
    assert len(lines) > 3
    loose = [
        line
        for line in lines
        if "--require-hashes" not in line and "--no-deps --no-build-isolation" not in line
    ]
    assert [line for line in loose if not line.startswith("lock: ")] == []
