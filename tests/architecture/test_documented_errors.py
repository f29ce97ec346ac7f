"""docs/errors.md lists each code that the API can answer with, and no other."""

import ast
import re
from pathlib import Path

from workers.contract.reports import CODES

ROOT = Path(__file__).parents[2]
STATUS = {
    "Invalid": 400,
    "Unauthorised": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "TooLarge": 413,
    "TooMany": 429,
    "Unavailable": 503,
    "Full": 507,
}
ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", re.MULTILINE)

LOOKED_UP = ("network", "container", "endpoint", "subnet", "pool")
FRAMEWORK = {
    "not_json",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "bad_token",
    "throttled",
}
"""Answered by the REST framework, not by our services."""


def raised_codes() -> set[tuple[str, int]]:
    """(code, status) of every domain error that is raised with a literal code, and of those that hosts report."""
    codes = {(code, STATUS["Conflict"]) for code in CODES}
    for path in [*(ROOT / "apps").rglob("*.py"), *(ROOT / "netadmin").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in STATUS
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    codes.add((first.value, STATUS[node.func.id]))
                elif isinstance(first, ast.JoinedStr):
                    # One look-up serves several nouns.
                    codes |= {(f"{noun}_not_found", STATUS[node.func.id]) for noun in LOOKED_UP}
    return codes


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    documented = {(code, int(status)) for code, status in ROW.findall((ROOT / "docs/errors.md").read_text())}
    framework = {row for row in documented if row[0] in FRAMEWORK}
    assert documented - framework == raised_codes()
    assert {code for code, _ in framework} == FRAMEWORK
