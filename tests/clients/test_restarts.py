"""Containers whose process their host begins again, by the unmodified docker client."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.docker import Docker

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def tidy(docker: Docker) -> Iterator[None]:
    yield
    if made := docker.do("ps -aq").split():
        docker.run("rm", "-f", *made)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.1)


def look(docker: Docker, name: str) -> list[str]:
    return docker.do(
        f"inspect -f {{{{.State.Status}}}}|{{{{.RestartCount}}}}|{{{{.State.ExitCode}}}} {name}"
    ).split("|")


def test_a_killed_process_runs_again_at_the_same_address(docker: Docker) -> None:
    docker.do("network create --subnet 10.67.0.0/24 lab")
    # As nobody else on the machine has it.
    seconds = str(4_000_000 + os.getpid())
    docker.do(f"run -d --name c1 --network lab --restart always host sleep {seconds}")
    docker.do("run -d --name c2 --network lab host sleep 60")
    (pid,) = subprocess.run(
        ["pgrep", "-fx", f"sleep {seconds}"], capture_output=True, text=True
    ).stdout.split()
    os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: look(docker, "c1") == ["running", "1", "137"], "it runs again")
    assert docker.do("inspect -f {{.NetworkSettings.Networks.lab.IPAddress}} c1") == "10.67.0.2"
    assert "1 received" in docker.do("exec c2 ping -c 1 -W 5 c1")
    docker.do("stop -t 1 c1")
    assert look(docker, "c1")[0] == "exited"
    docker.do("start c1")
    assert look(docker, "c1")[:2] == ["running", "0"]
    docker.do("rm -f c1 c2")
    docker.do("network rm lab")


def test_a_failure_is_tried_as_often_as_was_said(docker: Docker) -> None:
    docker.do("run -d --name c1 --restart on-failure:2 host false")
    wait_until(lambda: look(docker, "c1") == ["exited", "2", "1"], "it has failed three times")
    assert docker.do("inspect -f {{.HostConfig.RestartPolicy}} c1") in ("{on-failure 2}", "{on-failure 2 }")


def test_what_fails_for_ever_is_shown_as_restarting_and_stops_at_once(docker: Docker) -> None:
    docker.do("run -d --name c1 --restart unless-stopped host false")
    listed = "ps --filter status=restarting --format {{.Status}}"
    # Each time it waits for longer.
    wait_until(lambda: docker.do(listed).startswith("Restarting (1) "), "it waits to run again")
    wait_until(lambda: int(look(docker, "c1")[1]) > 3, "it was begun again some times")
    docker.do("stop c1")
    status, count, code = look(docker, "c1")
    assert (status, code) == ("exited", "1") and int(count) > 3
    docker.do("rm c1")


def test_who_is_killed_by_a_person_stays_so(docker: Docker) -> None:
    docker.do("run -d --name c1 --restart always host sleep 60")
    docker.do("kill -s TERM c1")
    wait_until(lambda: look(docker, "c1")[0] == "exited", "it has ended")
    assert look(docker, "c1") == ["exited", "0", "143"]


def test_waiting_for_its_end_ends_with_the_first(docker: Docker) -> None:
    done = docker.run(
        "run", "-d", "--name", "c1", "--restart", "on-failure", "host", "sh", "-c", "sleep 2; exit 3"
    )
    assert done.returncode == 0, done.stderr
    assert docker.do("wait c1") == "3"


def test_removal_at_the_end_and_starting_again_exclude_each_other(docker: Docker) -> None:
    # Each release of the client says it in its own way.
    assert "--restart and --rm" in docker.refuse("run -d --rm --restart always host sleep 9")
