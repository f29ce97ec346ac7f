"""The tables under tests/cases/ipam."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2] / "cases" / "ipam"


def read_cases(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((ROOT / f"{name}.json").read_text())["cases"]
    return cases


def describe(case: dict[str, Any]) -> str:
    """A test id that says what the case is about."""
    return " ".join(str(value) for key, value in case.items() if value and key != "why")
