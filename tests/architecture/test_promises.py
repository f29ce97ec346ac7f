"""docs/promises.md names a test for each promise; each of them exists."""

import ast
import re

from tests.architecture.tree import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_promise_is_held_by_a_test_that_exists() -> None:
    lines = (ROOT / "docs" / "promises.md").read_text().splitlines()
    promises = [line for line in lines if line.startswith("| ") and "held by" not in line]
    assert len(promises) > 15
    assert [line for line in promises if not NAMED.search(line)] == []
    missing = [
        f"{path}::{name}"
        for path, name in NAMED.findall("\n".join(promises))
        if name
        not in {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text()))
            if isinstance(node, ast.FunctionDef)
        }
    ]
    assert missing == []
