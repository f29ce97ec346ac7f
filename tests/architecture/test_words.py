"""The project stands alone: no machine's paths, no registry's address, no shell between us and a program."""

import ast
import re

from tests.architecture.tree import list_code, list_files, name_of

# Written in halves, since this file is of the tree too.
FOREIGN = [
    "/work" + "/",
    "shared" + "/",
    "/root/" + r"\.",
    "registry" + r"\.npmjs",
    "files" + r"\.pythonhosted",
    "pypi" + r"\.org",
    "/home" + r"/[a-z]",
]
PATTERN = re.compile("|".join(FOREIGN))
NOT_PROSE = {".png", ".ico", ".woff2", ".gz"}


def test_nothing_in_the_tree_names_a_machine_or_a_registry() -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in list_files()
        if path.suffix not in NOT_PROSE
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if PATTERN.search(line)
    ]
    assert found == []


def test_no_program_is_started_through_a_shell() -> None:
    found = []
    for path in list_code():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            shell = any(word.arg == "shell" for word in node.keywords)
            if shell or ast.unparse(node.func) in (
                "os.system",
                "os.popen",
                "asyncio.create_subprocess_shell",
            ):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []
