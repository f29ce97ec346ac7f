"""Children are started, started again, stopped and never left behind: with real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.launcher.children import is_alive, make_child, own_group, read_pid
from workers.supervision import children
from workers.supervision.children import Keeper, NotReady


async def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_a_child_is_started_when_it_is_ready_and_writes_to_its_log(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path / "log", said.append)
        await keeper.start()
        assert (tmp_path / "one.ready").exists()
        await until(lambda: (tmp_path / "log" / "one.log").read_text() == "here I am\n")
        await keeper.stop()

    asyncio.run(scene())
    assert said[0].startswith("one            ready after ")


def test_a_child_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, print)
        await keeper.start()
        pid = read_pid(tmp_path, "one")
        assert os.getsid(pid) == os.getpgid(pid) == pid != own_group()
        await keeper.stop()

    asyncio.run(scene())


def test_a_child_that_is_killed_is_started_again_and_that_is_said_in_one_line(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, said.append)
        await keeper.start()
        first = read_pid(tmp_path, "one")
        os.kill(first, signal.SIGKILL)
        await until(lambda: read_pid(tmp_path, "one") not in (first, 0))
        await until(lambda: keeper.pid == read_pid(tmp_path, "one"))
        await keeper.stop()

    asyncio.run(scene())
    assert said[1:] == [f"one ended with signal SIGKILL; started again in 0.5 s, see {tmp_path / 'one.log'}"]


def test_each_restart_waits_twice_as_long_as_the_one_before(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, said.append)
        await keeper.start()
        for restarts in (1, 2, 3):
            await until(lambda: keeper.pid is not None)
            os.kill(keeper.pid or 0, signal.SIGKILL)
            await until(lambda count=restarts: len(said) == count + 1)  # type: ignore[misc]
        await keeper.stop()

    asyncio.run(scene())
    assert [line.split(" in ")[1].split(" s")[0] for line in said[1:]] == ["0.5", "1", "2"]


def test_what_a_child_did_before_it_was_steady_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "STEADY_AFTER", 0.0)
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, said.append)
        await keeper.start()
        for restarts in (1, 2):
            await until(lambda: keeper.pid is not None)
            os.kill(keeper.pid or 0, signal.SIGKILL)
            await until(lambda count=restarts: len(said) == count + 1)  # type: ignore[misc]
        await keeper.stop()

    asyncio.run(scene())
    assert [line.split(" in ")[1].split(" s")[0] for line in said[1:]] == ["0.5", "0.5"]


def test_a_child_that_fails_at_the_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    async def scene() -> None:
        await Keeper(make_child(tmp_path, "one", "fail"), tmp_path, print).start()

    with pytest.raises(NotReady) as raised:
        asyncio.run(scene())
    assert str(raised.value) == (
        f"one ended with status 1; its log is {tmp_path / 'one.log'} and ends with:\n    no such flag: --colour"
    )


def test_a_child_that_is_deaf_to_sigterm_is_killed_after_its_time(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one", "deaf", stop_within=0.3), tmp_path, said.append)
        await keeper.start()
        await keeper.stop()

    asyncio.run(scene())
    assert not is_alive(read_pid(tmp_path, "one"))
    assert said[-1] == "one did not end within 0.3 s and was killed"


def test_what_a_child_has_started_in_its_group_ends_with_it(tmp_path: Path) -> None:
    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one", "family"), tmp_path, print)
        await keeper.start()
        await until((tmp_path / "one.grandchild").exists)
        await until(lambda: (tmp_path / "one.grandchild").read_text() != "")
        await keeper.stop()
        grandchild = read_pid(tmp_path, "one", "grandchild")
        await until(lambda: not is_alive(grandchild))

    asyncio.run(scene())


def test_no_child_survives_a_launcher_that_is_killed(tmp_path: Path) -> None:
    launcher = f"""
import asyncio, pathlib
from workers.supervision.children import Keeper
from tests.unit.launcher.children import make_child
async def main():
    folder = pathlib.Path({str(tmp_path)!r})
    await asyncio.gather(*(Keeper(make_child(folder, n, "deaf"), folder, print).start() for n in ("one", "two")))
    (folder / "up").touch()
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.DEVNULL)

    async def scene() -> None:
        await until((tmp_path / "up").exists)
        process.kill()
        process.wait()
        await until(lambda: not any(is_alive(read_pid(tmp_path, name)) for name in ("one", "two")))

    asyncio.run(scene())


def test_a_log_beyond_its_size_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_bytes(b"x" * (5 * 1024 * 1024 + 1))

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, print)
        await keeper.start()
        await keeper.stop()

    asyncio.run(scene())
    assert (tmp_path / "one.log.1").stat().st_size > 5 * 1024 * 1024
    assert (tmp_path / "one.log").stat().st_size < 100


@pytest.mark.parametrize("own", ["", "timeout:9"])
def test_a_child_waits_shortly_for_a_name_server_unless_somebody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.delenv("RES_OPTIONS", raising=False)
    if own:
        monkeypatch.setenv("RES_OPTIONS", own)

    async def scene() -> None:
        keeper = Keeper(make_child(tmp_path, "one"), tmp_path, print)
        await keeper.start()
        variables = Path(f"/proc/{keeper.pid}/environ").read_bytes().split(b"\0")
        assert f"RES_OPTIONS={own or 'timeout:1 attempts:2'}".encode() in variables
        await keeper.stop()

    asyncio.run(scene())
