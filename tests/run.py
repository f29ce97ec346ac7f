"""`python -m tests.run [SUITE...]`: every suite in a pytest of its own, since some move their process to another host.

Prints each suite's output when it ends, at last a line per suite and a closing one; exit status 1 when anything failed.

A few failures may come from the suite beside it on a small machine, so those tests are run once more when all else is
done; who passes only then is named, so that it can be mended.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "tests"
SUITES = (
    "overlay",
    "server",
    "clients",
    "fullstack",
    "dns",
    "e2e",
    "faults",
    "workers",
    "runtimes",
    "kernel",
    "seed_docker",
    "seed",
    "unit",
    "architecture",
)
"""The long ones first, so that the lanes end together."""
LANES = 2
"""Suites that run at once. Most of a suite's time is waiting for processes, and each has hosts of its own."""
NOTHING_COLLECTED = 5
FEW = 5
"""Failed tests of a suite up to which a second run may tell a busy machine from a defect."""


@dataclass(frozen=True)
class Result:
    suite: str
    passed: int
    failed: tuple[str, ...]
    skipped: int
    seconds: float

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.suite:<14} {self.passed} passed, {len(self.failed)} failed{skipped} in {self.seconds:.0f} s"


def run_suite(suite: str, *options: str) -> Result:
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = RESULTS / f"{suite}.xml"
    record.unlink(missing_ok=True)
    began = time.monotonic()
    memory = ["-o", f"cache_dir={RESULTS / suite}"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"tests/{suite}",
        f"--junitxml={record}",
        *memory,
        *options,
    ]
    run = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # In one piece, since another suite speaks at the same time.
    print(f"== {suite}\n{run.stdout}", end="", flush=True)
    return read_result(suite, record, run.returncode, time.monotonic() - began)


def read_result(suite: str, record: Path, status: int, seconds: float) -> Result:
    """From pytest's own record; a run that ended badly without a failed test counts as one."""
    passed, skipped = 0, 0
    failed: list[str] = []
    if record.exists():
        for test in xml.parse(record).iter("testcase"):
            kinds = {child.tag for child in test}
            if kinds & {"failure", "error"}:
                failed.append(f"{test.get('classname')}::{test.get('name')}")
            skipped += "skipped" in kinds
            passed += not kinds & {"failure", "error", "skipped"}
    if status not in (0, NOTHING_COLLECTED) and not failed:
        failed.append(f"tests.{suite}, which ended with status {status}")
    return Result(suite, passed, tuple(failed), skipped, seconds)


def run_again(first: Result) -> Result:
    """The failed tests of a suite, with nothing beside them."""
    second = run_suite(first.suite, "--last-failed")
    return replace(
        first,
        passed=first.passed + second.passed,
        failed=second.failed,
        seconds=first.seconds + second.seconds,
    )


def main(wanted: list[str]) -> int:
    known = [suite for suite in SUITES if (ROOT / "tests" / suite).is_dir()]
    if unknown := set(wanted) - set(known):
        print(
            f"There is no suite {', '.join(sorted(unknown))}; known ones: {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    if os.geteuid() != 0:
        print("Without root the suites that make network namespaces are skipped; use sudo make test.")
    with ThreadPoolExecutor(LANES) as lanes:
        firsts = list(lanes.map(run_suite, wanted or known))
    results = [run_again(first) if 0 < len(first.failed) <= FEW else first for first in firsts]
    print("\n" + "\n".join(str(result) for result in results))
    for first, result in zip(firsts, results, strict=True):
        for test in first.failed:
            print(f"{'failed' if test in result.failed else 'passed only at its second run'}: {test}")
    failed = sum(len(result.failed) for result in results)
    print(f"{sum(result.passed for result in results)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
