"""docs/promises.md names a test for each promise, docs/security.md one for each attack; each of them exists."""

import ast
import re

import pytest

from tests.architecture.tree import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows_held(document: str) -> list[str]:
    """The lines of those tables whose last column says what holds them."""
    rows: list[str] = []
    held = False
    for line in (ROOT / "docs" / document).read_text().splitlines():
        held = line.endswith("| held by |") or (held and line.startswith("|"))
        if held and line.startswith("| ") and not line.endswith("| held by |"):
            rows.append(line)
    return rows


@pytest.mark.parametrize("document", ["promises.md", "security.md"])
def test_each_promise_is_held_by_a_test_that_exists(document: str) -> None:
    rows = rows_held(document)
    assert len(rows) > 15
    assert [row for row in rows if not NAMED.search(row)] == []
    missing = [
        f"{path}::{name}"
        for path, name in NAMED.findall("\n".join(rows))
        if name
        not in {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    ]
    assert missing == []
