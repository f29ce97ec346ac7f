"""The agent's way to the supervisor of processes, when that one hangs."""

import socket
from contextlib import suppress
from pathlib import Path

import pytest

from workers.runtimes import client
from workers.runtimes.client import Silent, Supervisor, SupervisorError


def count_callers(door: socket.socket) -> int:
    """Who has connected since, and was taken by the kernel alone."""
    door.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            door.accept()[0].close()
            found += 1
    return found


def test_a_supervisor_that_hangs_is_waited_for_once_not_for_each_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "supervisor.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(64)
        supervisor = Supervisor(str(path), timeout=0.3)
        for _ in range(50):
            with pytest.raises(SupervisorError, match="did not answer in time"):
                supervisor.forget("web")
        assert count_callers(door) == 1
        # After a while it is asked again.
        monkeypatch.setattr(client, "PAUSE", 0.0)
        supervisor = Supervisor(str(path), timeout=0.05)
        for _ in range(3):
            with pytest.raises(Silent):
                supervisor.forget("web")
        assert count_callers(door) == 3


def test_what_may_take_its_time_by_itself_says_nothing_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(64)
        # It has 10 s more.
        supervisor = Supervisor(str(path), timeout=-9.9)
        with pytest.raises(Silent):
            supervisor.end("box")
        supervisor._timeout = 0.05
        with pytest.raises(Silent):
            supervisor.status()
        assert count_callers(door) == 2
