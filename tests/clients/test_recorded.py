"""What Docker's own engine answered to the same command lines: exit status and text, with the unmodified client."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netadmin.busybox import pack
from tests.clients.recording import Case, mask, read_cases
from tests.docker import Docker
from tests.product import NETADMIN

HERE = Path(__file__).parent
CASES = list(read_cases())
DIFFERENCES = Path(__file__).parents[2] / "docs" / "docker.md"


@pytest.fixture(scope="module")
def busybox(docker: Docker) -> None:
    """As an image."""
    program = shutil.which("busybox")
    assert program
    command = [*docker.command, "import", "--change", 'CMD ["sh"]', "-", "busybox"]
    subprocess.run(command, input=pack(Path(program)), check=True, capture_output=True)


@pytest.fixture
def empty(docker: Docker, busybox: None) -> None:
    """No containers, and no networks but the engine's own."""
    if containers := docker.do("ps -aq").split():
        docker.do("rm -f " + " ".join(containers))
    listed = docker.do("network ls -q --filter type=custom").split()
    if listed:
        docker.do("network rm " + " ".join(listed))


def replay(docker: Docker, line: str) -> tuple[int, str]:
    """A recorded line, by the shell that it was typed into."""
    settings = {"PYTHON": sys.executable, "ASK": str(HERE / "ask.py"), "NETADMIN": NETADMIN}
    done = subprocess.run(
        ["bash", "-c", f". {HERE / 'recorded.sh'}\n{line}"],
        env={**docker.product.environment, **docker.shell, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, mask(done.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_answers_as_dockers_engine(docker: Docker, empty: None, case: Case) -> None:
    for line in case.given:
        status, text = replay(docker, line)
        assert status == 0, (line, text)
    for step in case.steps:
        assert (step.run, *replay(docker, step.run)) == (step.run, *step.wanted)


def test_each_difference_is_one_and_has_its_reason() -> None:
    reasons = {
        line.split("|")[1].strip() for line in DIFFERENCES.read_text().splitlines() if line[:2] == "| "
    }
    for case in CASES:
        for step in case.steps:
            differs = step.wanted != (step.exit, mask(step.says))
            assert differs == bool(step.because), (case.name, step.run)
            assert not differs or step.because in reasons, (case.name, step.because)
