"""`docker run` of the unmodified client: what a container would not get is refused."""

import pytest

from tests.docker import Docker


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--cap-drop ALL", "CapDrop"),
        ("--security-opt no-new-privileges", "SecurityOpt"),
        ("--read-only", "ReadonlyRootfs"),
        ("--pid host", "PidMode"),
        ("--memory 64m", "Memory"),
        ("--pids-limit 10", "PidsLimit"),
        ("--ulimit nofile=64", "Ulimits"),
        ("--tmpfs /run", "Tmpfs"),
    ],
)
def test_a_confinement_that_is_not_here_is_refused(docker: Docker, option: str, field: str) -> None:
    said = docker.refuse(f"run -d --name confined {option} host sleep 9")
    assert f"leave {field} out" in said
    assert docker.do("ps -aq") == ""
