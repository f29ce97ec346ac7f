"""A child that hangs is ended, says where, and is started again; one that only had no chance to run is not."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.launcher.children import make_child, read_pid
from tests.unit.launcher.test_children import until
from workers.life import PLACE, Life, make_place, read_count
from workers.supervision import children, watchdog
from workers.supervision.children import Keeper
from workers.supervision.watchdog import LONGEST, PATIENCE, Silence, read_patience


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LOOK_EVERY", 0.1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["hanging", "stopped"])
def test_a_child_that_hangs_says_where_and_is_started_again(tmp_path: Path, how: str) -> None:
    said: list[str] = []

    async def scene() -> None:
        word = "hanging" if how == "hanging" else "living"
        keeper = Keeper(make_child(tmp_path, "one", word, silence=1.0), tmp_path, said.append)
        await keeper.start()
        first = read_pid(tmp_path, "one")
        if how == "stopped":
            os.kill(first, signal.SIGSTOP)
        await until(lambda: keeper.pid not in (None, first), within=30.0)
        await keeper.stop()

    asyncio.run(scene())
    assert said[1].startswith("one hangs, without a sign for ")
    assert said[2].startswith("one ended with signal SIGABRT; started again in ")
    log = (tmp_path / "one.log").read_text()
    assert "Fatal Python error: Aborted" in log and "most recent call first" in log


@pytest.mark.usefixtures("quick")
def test_a_child_that_gets_on_is_left_alone(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one", "living", silence=2.0), tmp_path, said.append)
        await keeper.start()
        first = keeper.pid
        await asyncio.sleep(2.5)
        assert keeper.pid == first
        await keeper.stop()

    asyncio.run(scene())
    assert len(said) == 1


@pytest.mark.usefixtures("quick")
def test_what_shows_no_signs_is_asked(tmp_path: Path) -> None:
    asked: list[bool] = [True, True, True]

    async def answers() -> bool:
        return asked.pop() if asked else False

    async def scene() -> None:
        child = make_child(tmp_path, "one", silence=0.5)
        child = replace(child, alive=answers)
        keeper = Keeper(child, tmp_path, print)
        await keeper.start()
        first = keeper.pid
        await until(lambda: keeper.pid not in (None, first), within=30.0)
        await keeper.stop()

    asyncio.run(scene())
    assert asked == []


class Machine:
    """Clock and what threads have waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.waits = 0.0, {"1": 0.0, "2": 0.0}
        monkeypatch.setattr(watchdog.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(watchdog, "read_waits", lambda _: dict(self.waits))


def test_only_time_counts_in_which_it_could_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    silence = Silence(1)
    machine.now += 5
    assert silence.count(False) == 5
    # Whoever looks was stopped for an hour, and so perhaps was all else.
    machine.now += 3600
    assert silence.count(False) == 5 + LONGEST
    # One of its threads waited for a processor nearly all the time.
    machine.now, machine.waits["2"] = machine.now + 5, 4.5
    assert silence.count(False) == 5 + LONGEST + 0.5
    machine.now += 5
    assert silence.count(True) == 0
    machine.now += 5
    assert silence.count(False) == 5


def test_the_kernel_tells_what_threads_have_waited_for() -> None:
    assert str(os.getpid()) in watchdog.read_waits(os.getpid())
    assert watchdog.read_waits(2**22 + 1) == {}


def test_signs_of_life_are_read_where_they_were_made_and_nobody_else_is_told_of_the_place() -> None:
    place = make_place()
    code = f"""
import os, subprocess, sys
from workers.life import Life
life = Life()
life.show(); life.show()
assert {PLACE!r} not in os.environ and not os.get_inheritable({place})
"""
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, PLACE: str(place)}, pass_fds=[place], check=True
    )
    assert read_count(place) == 2
    os.close(place)


def test_a_place_that_is_none_is_not_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "precious").open("w+b") as file:
        for told in (str(file.fileno()), "999999", "x", ""):
            monkeypatch.setenv(PLACE, told)
            Life().show()
        assert os.fstat(file.fileno()).st_size == 0


def test_how_long_silence_is_borne_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETADMIN_WATCHDOG", raising=False)
    assert read_patience() == PATIENCE
    for told, meant in (("", PATIENCE), ("0", float("inf")), ("20", 20.0), ("600", 600.0)):
        monkeypatch.setenv("NETADMIN_WATCHDOG", told)
        assert read_patience() == meant
    for wrong in ("19", "-1", "ten", "1e3"):
        monkeypatch.setenv("NETADMIN_WATCHDOG", wrong)
        with pytest.raises(SystemExit, match="NETADMIN_WATCHDOG must be 0 or at least 20 seconds"):
            read_patience()
