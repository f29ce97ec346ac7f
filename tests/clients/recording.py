"""Command lines as they were replayed to Docker's engine 28.5, with what it said: tests/cases/docker/*.toml.

A case begins without containers and networks of its own; `after` puts back what it did to the host. Each step has
the number that its command line has in the recording. Where we differ on purpose, a step has `ours` (and `our_exit`),
and under `because` the row of the table of differences in docs/docker.md that says why. Command lines that are not
replayed stand under `omitted`, with the reason.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "cases" / "docker"
MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b"), "id12"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ][0-9:.]+(Z| \+0000 UTC)"), "TIME"),
    (re.compile(r"\bbr-(id12|X)\b"), "br-X"),
    (re.compile(r"\b(?!02:42:ac:11:99:99)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
    (re.compile(r"\bfe80::[0-9a-f:]+"), "fe80::X"),
    (re.compile(r"@if\d+ +"), "@ifN "),
    (re.compile(r"time=[0-9.]+ ms"), "time=T"),
    (re.compile(r"= [0-9.]+/[0-9.]+/[0-9.]+ ms"), "= T ms"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
    # What clients add of their own, each release in another way.
    (re.compile(r"\nUsage:.*", re.DOTALL), ""),
    (re.compile(r"^(Run '|See ').*", re.MULTILINE), ""),
    (re.compile(r"^\n|\n+$"), ""),
    (re.compile(r"\n{2,}"), "\n"),
    # Our answers are not to be kept, the engine's for ten minutes.
    (re.compile(r"(?<=\. )(600|0) (?=(A|AAAA|PTR) )"), ""),
    (re.compile(r"\nexit status 1$"), ""),
    (
        re.compile(r"^Error: No such network: (.*)$", re.MULTILINE),
        r"Error response from daemon: network \1 not found",
    ),
    (re.compile(r"^(docker: Error response from daemon: .*)\.$", re.MULTILINE), r"\1"),
)


@dataclass(frozen=True)
class Step:
    number: int
    run: str
    says: str
    exit: int = 0
    ours: str | None = None
    our_exit: int | None = None
    because: str = ""

    @property
    def wanted(self) -> tuple[int, str]:
        says = self.says if self.ours is None else self.ours
        return self.exit if self.our_exit is None else self.our_exit, mask(says)


@dataclass(frozen=True)
class Case:
    name: str
    given: tuple[str, ...]
    steps: tuple[Step, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Omission:
    numbers: tuple[int, ...]
    because: str


def mask(text: str) -> str:
    """Without what is different each time, or with each release of the client."""
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.toml")):
        for number, given in enumerate(_read(path, "case"), 1):
            yield Case(
                f"{path.stem}-{number}",
                tuple(given.get("given", ())),
                tuple(Step(**step) for step in given["steps"]),
                tuple(given.get("after", ())),
            )


def read_omissions() -> Iterator[Omission]:
    for path in sorted(FOLDER.glob("*.toml")):
        for omitted in _read(path, "omitted"):
            yield Omission(tuple(omitted["numbers"]), omitted["because"])


def _read(path: Path, key: str) -> list[dict[str, Any]]:
    found = tomllib.loads(path.read_text()).get(key, [])
    assert isinstance(found, list)
    return found
