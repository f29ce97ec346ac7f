"""docs/settings.md lists every variable that is read, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from netadmin.environment import Environment
from tests.architecture.tree import ROOT, list_code

ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
STANDARD = {"DJANGO_SETTINGS_MODULE", "XDG_CONFIG_HOME", "TERM", "COLUMNS", "PATH", "HOME"}


class Recorder(dict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return default


def read_elsewhere(path: Path) -> Iterator[str]:
    """Names read by `os.environ.get(…)` or `os.environ[…]`."""
    for node in ast.walk(ast.parse(path.read_text())):
        name: ast.expr | None = None
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("os.environ.get", "os.getenv")
            and node.args
        ):
            name = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            name = node.slice
        if isinstance(name, ast.Constant):
            yield str(name.value)


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    recorder = Recorder()
    Environment.read(recorder)
    product = [
        path for path in list_code() if path.relative_to(ROOT).parts[0] in ("apps", "netadmin", "workers")
    ]
    known = recorder.asked | {name for path in product for name in read_elsewhere(path)} - STANDARD
    assert set(ROW.findall((ROOT / "docs/settings.md").read_text())) == known


def test_only_the_environment_module_reads_the_settings_of_the_server() -> None:
    recorder = Recorder()
    Environment.read(recorder)
    readers = {
        str(path.relative_to(ROOT))
        for path in list_code()
        if path.relative_to(ROOT).parts[0] in ("apps", "workers", "netadmin")
        and recorder.asked & set(read_elsewhere(path))
    }
    # The command line only looks for the server's socket, and must not fail over the server's other settings.
    assert readers <= {"netadmin/cli/target.py"}
