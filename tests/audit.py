"""`.ci/audit`: asks the registries which weaknesses of the locked packages are known; exit status 1 when there is one.

They are the registries that pip and npm are set up for here. Of which packages nothing is told is said, and is no
failure. pip-audit would do the same for Python, but asks for each version apart, which not every registry can answer;
what one tells with a package's newest version is enough for whatever is locked at it.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
PATIENCE = 10.0
"""Seconds for one answer."""
LONGEST = 90.0
"""Seconds for all of a kind: what has not been asked by then is not told."""
ASKING = 8
NAMED = 20
"""Packages of which nothing is told, that are named; of more, how many there are."""


@dataclass(frozen=True, order=True)
class Pin:
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, order=True)
class Weakness:
    """`names`: that of the advisory first, then others for the same, such as its CVE."""

    package: str
    names: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.package}: {', '.join(self.names)}: {self.text}"


@dataclass
class Told:
    """`untold`: by the reason, of which packages nothing was told."""

    packages: int
    weaknesses: set[Weakness] = field(default_factory=set)
    untold: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def main(root: Path) -> int:
    accepted = read_accepted(root / ".ci" / "accepted-weaknesses")
    found: set[Weakness] = set()
    for title, told in (("Python", audit_python(root)), ("dashboard", audit_dashboard(root / "frontend"))):
        asked = told.packages - sum(map(len, told.untold.values()))
        print(f"== {title}: {told.packages} packages are locked, of {asked} the registry tells what is known")
        for reason, names in told.untold.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            print(f"   untold, {reason}: {', '.join(names[:NAMED])}{more}")
        found |= told.weaknesses
    for weakness in sorted(found):
        why = [accepted[name] for name in weakness.names if name in accepted]
        print(f"   accepted, {why[0]}: {weakness}" if why else f"Error: {weakness}")
    return int(any(accepted.keys().isdisjoint(weakness.names) for weakness in found))


def read_accepted(path: Path) -> dict[str, str]:
    """By the name of an advisory, why it does no harm here; lines with `#` are remarks."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return {name: reason for name, reason in (line.split(None, 1) for line in lines)}


def read_pins(root: Path) -> list[Pin]:
    """Of all lock files for Python, each once."""
    locks = [*root.glob("requirements*.lock"), *root.glob("docker/*.lock")]
    return sorted({Pin(*pair) for lock in locks for pair in PINNED.findall(lock.read_text())})


def audit_python(root: Path) -> Told:
    pins = read_pins(root)
    address, until = find_index(), time.monotonic() + LONGEST

    def look_up(pin: Pin) -> tuple[str, list[Weakness]]:
        if time.monotonic() > until:
            return f"not asked within {LONGEST:.0f} s", []
        return ask_about(address, pin)

    told = Told(len(pins))
    with ThreadPoolExecutor(ASKING) as threads:
        for pin, (reason, weaknesses) in zip(pins, threads.map(look_up, pins), strict=True):
            told.weaknesses.update(weaknesses)
            if reason:
                told.untold[reason].append(str(pin))
    return told


def find_index() -> str:
    """Where the index that pip goes by tells of packages in JSON; pip's help says which one that is."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--help"],
        env={**os.environ, "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=True,
    )
    (index,) = re.findall(r"--index-url <url> .*\(default (\S+)\)", told.stdout)
    return f"{index.rstrip('/').removesuffix('/simple')}/pypi"


def ask_about(address: str, pin: Pin) -> tuple[str, list[Weakness]]:
    """Why nothing is told of it, else empty; and the weaknesses that are."""
    try:
        told = fetch(f"{address}/{pin.name}/json")
        if told is None:
            return "unknown to the registry", []
        found = list(find_withdrawn(pin, told.get("releases", {}).get(pin.version, ())))
        if told["info"]["version"] != pin.version:
            told = fetch(f"{address}/{pin.name}/{pin.version}/json")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error), []
    if told is None:
        return "only newer versions are told of", found
    if "vulnerabilities" not in told:
        return "the registry keeps no list", found
    return "", found + list(find_advisories(pin, told["vulnerabilities"]))


def fetch(url: str) -> dict[str, Any] | None:
    """None: there is no such thing."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def find_withdrawn(pin: Pin, files: Iterable[Mapping[str, Any]]) -> Iterable[Weakness]:
    """A version that its makers took back (PEP 592), be it for a weakness or because it is broken."""
    taken_back = [file for file in files if file["yanked"]]
    if taken_back:
        reason = taken_back[0].get("yanked_reason") or "no reason is given"
        yield Weakness(str(pin), (f"withdrawn-{pin.name}-{pin.version}",), reason)


def find_advisories(pin: Pin, told: Iterable[Mapping[str, Any]]) -> Iterable[Weakness]:
    """Each once: several lists name the same one, and each other's names for it."""
    seen: set[str] = set()
    for each in told:
        names = (each["id"], *sorted(each["aliases"]))
        if each.get("withdrawn") or not seen.isdisjoint(names):
            continue
        seen.update(names)
        text = (each.get("summary") or each.get("details") or "").split("\n")[0][:200]
        yield Weakness(str(pin), names, f"{text} (mended in {', '.join(each['fixed_in']) or 'no version'})")


def audit_dashboard(folder: Path) -> Told:
    """By npm itself, of all that the lock file names."""
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    names = [path.rpartition("node_modules/")[2] for path in locked if path]
    told = Told(len(names))
    command = ["npm", "audit", "--json", "--package-lock-only"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        told.untold[f"npm has not answered within {LONGEST:.0f} s"] = names
        return told
    answer = json.loads(done.stdout or "{}")
    if "vulnerabilities" not in answer:
        told.untold[answer.get("message") or done.stderr.strip() or "npm says nothing"] = names
    for name, package in answer.get("vulnerabilities", {}).items():
        for via in package["via"]:
            # Else it is the name of the package from which it has its weakness.
            if isinstance(via, dict):
                advisory = via["url"].rpartition("/")[2]
                told.weaknesses.add(Weakness(name, (advisory,), f"{via['title']} (in {via['range']})"))
    return told


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
