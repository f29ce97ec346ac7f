"""What is committed comes from the log into the file, and who commits does not do it."""

import time
from pathlib import Path

import pytest

from tests.unit.worker.specs import container, row
from workers import checkpoints
from workers.memory import Memory

ONE = container("one", env={"FILL": "x" * 3000})
CHANGES = 600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite3"


def change_often(memory: Memory) -> None:
    for revision in range(1, CHANGES):
        memory.keep([row(ONE, revision)], "e", revision)


def test_the_log_is_worked_off_aside(path: Path) -> None:
    memory = Memory(path)
    before = path.stat().st_mtime_ns
    change_often(memory)
    end = time.monotonic() + 20
    while path.stat().st_mtime_ns == before:
        assert time.monotonic() < end, "nothing was moved"
        time.sleep(0.01)
    memory.close()
    assert Memory(path).progress() == {"": ("e", CHANGES - 1)}


def test_who_commits_does_not_work_it_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "work_off", lambda _: None)
    memory = Memory(path)
    before = path.stat().st_mtime_ns
    change_often(memory)
    assert path.with_name(path.name + "-wal").stat().st_size > 1000 * 4096
    assert path.stat().st_mtime_ns == before
    memory.close()
    assert Memory(path).progress() == {"": ("e", CHANGES - 1)}
