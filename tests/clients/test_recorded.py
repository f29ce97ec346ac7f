"""What Docker's own engine answered to the same command lines: exit status and text, with the unmodified client."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import docker as sdk
from netadmin.busybox import pack
from tests.clients.recording import Case, mask, read_cases
from tests.clients.uplink import uplink
from tests.docker import Docker
from tests.product import NETADMIN, Product

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What reached the name server of the host's neighbour."""
    seen = tmp_path_factory.mktemp("uplink") / "seen"
    with uplink(seen):
        yield seen


@pytest.fixture(scope="module")
def engine(docker: Docker, seen: Path) -> Iterator[sdk.DockerClient]:
    """With busybox as an image."""
    program = shutil.which("busybox")
    assert program
    command = [*docker.command, "import", "--change", 'CMD ["sh"]', "-", "busybox"]
    subprocess.run(command, input=pack(Path(program)), check=True, capture_output=True)
    client = sdk.DockerClient(base_url=docker.host)
    yield client
    # Shells do not mind SIGTERM: the product would wait for each when it stops.
    clear(client)
    client.close()


@pytest.fixture
def empty(engine: sdk.DockerClient, seen: Path) -> None:
    """No containers, and no networks but the engine's own."""
    clear(engine)
    seen.write_text("")


def clear(engine: sdk.DockerClient) -> None:
    containers = [container["Id"] for container in engine.api.containers(all=True)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(engine.api.remove_container, force=True), containers))
    if engine.api.networks(filters={"type": "custom"}):
        engine.api.prune_networks()


def replay(docker: Docker, seen: Path, *lines: str) -> tuple[int, str]:
    """Recorded lines, by the shell that they were typed into, until one fails."""
    settings = {
        "PYTHON": sys.executable,
        "NETADMIN": NETADMIN,
        "ASK": str(HERE / "ask.py"),
        "CALLERS": str(HERE / "callers.py"),
        "SEEN": str(seen),
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join((f". {HERE / 'recorded.sh'}", " &&\n".join(lines)))],
        env={**docker.product.environment, **docker.shell, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, mask(done.stdout)


@pytest.mark.parametrize("case", list(read_cases()), ids=lambda case: case.name)
def test_it_answers_as_dockers_engine(docker: Docker, empty: None, seen: Path, case: Case) -> None:
    if case.given:
        status, text = replay(docker, seen, *case.given)
        assert status == 0, text
    try:
        for step in case.steps:
            answer = replay(docker, seen, step.run)
            assert (step.number, step.run, *answer) == (step.number, step.run, *step.wanted)
    finally:
        for line in case.after:
            replay(docker, seen, line)
