"""The rule of tests/conftest.py, tried in a pytest of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"
SKIP = "import pytest\ndef test_skipped():\n    pytest.skip('no root')\n"
XFAIL = "import pytest\n@pytest.mark.xfail\ndef test_expected():\n    assert False\n"


def run_pytest(folder: Path, test: str, *, ci: bool) -> int:
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_one.py").write_text(test)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    done = subprocess.run(
        command, env=environment | ({"CI": "true"} if ci else {}), capture_output=True, cwd=folder
    )
    return done.returncode


@pytest.mark.parametrize(("test", "ci", "status"), [(SKIP, True, 1), (SKIP, False, 0), (XFAIL, True, 0)])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path: Path, test: str, ci: bool, status: int) -> None:
    assert run_pytest(tmp_path, test, ci=ci) == status


def test_a_skipped_module_fails_the_run_in_ci(tmp_path: Path) -> None:
    test = "import pytest\npytest.skip('no root', allow_module_level=True)\n"
    assert run_pytest(tmp_path, test, ci=True) != 0
