"""No file and no function outgrows what one reads at a glance."""

import ast

from tests.architecture.tree import list_code, name_of

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 350, 50


def test_no_file_is_longer_than_350_lines() -> None:
    long = {
        name_of(path): n
        for path in list_code()
        if (n := len(path.read_text().splitlines())) > LINES_OF_A_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = {
        f"{name_of(path)}:{node.name}": length
        for path in list_code()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and (length := node.end_lineno - node.lineno + 1) > LINES_OF_A_FUNCTION
    }
    assert long == {}
