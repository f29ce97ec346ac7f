"""A host runs the worker's code without Django; the launcher and the command line do without it too."""

import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT, list_code, name_of

BLOCKER = """
import importlib, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} must not be needed here")

blocked = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Refusal())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def modules_below(*folders: str) -> list[str]:
    """Dotted names; of `__main__` files too, which do nothing when they are imported."""
    found = [name_of(path).removesuffix(".py").removesuffix("/__init__") for path in list_code()]
    return sorted(name.replace("/", ".") for name in found if name.startswith(folders))


@pytest.mark.parametrize(
    ("folders", "blocked"),
    [
        (("workers",), "django,rest_framework,channels,apps,netadmin"),
        (("workers/contract", "workers/planning"), "django,celery,redis,pyroute2,asyncio"),
        (("netadmin/cli",), "django,rest_framework,celery,apps,workers"),
        (("netadmin/launcher", "netadmin/environment", "workers/supervision"), "django,celery,apps,pyroute2"),
    ],
)
def test_these_modules_can_be_imported_without_those_packages(folders: tuple[str, ...], blocked: str) -> None:
    names = modules_below(*folders)
    assert names
    command = [
        sys.executable,
        "-c",
        BLOCKER,
        blocked,
        *(name for name in names if name != "netadmin.cli.__main__"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
