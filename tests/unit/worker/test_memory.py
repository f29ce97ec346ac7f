"""What a host remembers over a restart."""

import json
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.unit.worker.specs import container, removal, row
from workers.contract.state import Peer, Row
from workers.memory import Memory

ONE, TWO = container("one", env={"SECRET": "s"}), container("two")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite3"


def test_rows_ends_and_progress_survive_a_restart(path: Path) -> None:
    memory = Memory(path)
    assert memory.progress() == {"": ("", 0)}
    memory.keep([row(ONE, 1), row(TWO, 2)], "e", 2)
    memory.keep([row(ONE, 3)], "e", 3)
    memory.keep_ended(ONE.id, 4)
    memory.close()
    again = Memory(path)
    assert sorted(again.rows(), key=lambda each: each.revision) == [row(TWO, 2), row(ONE, 3)]
    assert again.ended() == {ONE.id: 4}
    assert again.progress() == {"": ("e", 3)}


def test_a_removed_row_is_kept_until_the_server_knows(path: Path) -> None:
    memory = Memory(path)
    memory.keep([row(ONE, 1), row(TWO, 2)], "e", 2)
    memory.keep_ended(ONE.id, 1)
    memory.keep([removal(ONE, 3)], "e", 3)
    assert removal(ONE, 3) in memory.rows()
    assert memory.ended() == {}
    memory.drop([("container", ONE.id), ("container", TWO.id)])
    assert memory.rows() == [row(TWO, 2)]


def test_ends_of_another_epoch_can_be_dropped(path: Path) -> None:
    memory = Memory(path)
    memory.keep_ended(ONE.id, 4)
    memory.drop_ended()
    assert memory.ended() == {}


def test_what_a_newer_worker_has_written_is_put_aside_and_not_taken_for_less(path: Path) -> None:
    """With neither rows nor an epoch a worker leaves everything as it is, and asks the server for all."""
    memory = Memory(path)
    memory.keep([row(ONE, 1)], "e", 7)
    memory.close()
    with closing(sqlite3.connect(path)) as database, database:
        newer = {"kind": "tunnel", "id": "t", "revision": 2, "spec": {"kind": "tunnel", "id": "t"}}
        database.execute("INSERT INTO row VALUES ('tunnel', 't', ?)", [json.dumps(newer)])
    again = Memory(path)
    assert (again.rows(), again.progress(), again.ended()) == ([], {"": ("", 0)}, {})
    assert path.with_suffix(".broken").exists()
    again.keep([row(TWO, 9)], "e", 9)
    assert again.rows() == [row(TWO, 9)]


@contextmanager
def no_room() -> Iterator[None]:
    """Files of this process cannot be written; the interpreter ignores the signal that goes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_is_written_as_soon_as_there_is_room(path: Path) -> None:
    memory = Memory(path)
    memory.keep([row(ONE, 1), row(TWO, 1)], "e", 1)
    memory.keep_ended(TWO.id, 1)
    with no_room():
        for revision in range(2, 100):
            memory.keep([row(ONE, revision)], "e", revision)
        memory.keep([removal(TWO, 100)], "e", 100)
        memory.drop([("container", TWO.id)])
        memory.drop_ended()
        memory.keep_ended(ONE.id, 5)
        assert Memory(path).progress() == {"": ("e", 1)}
    memory.write()
    again = Memory(path)
    assert (again.rows(), again.ended(), again.progress()) == ([row(ONE, 99)], {ONE.id: 5}, {"": ("e", 100)})


def test_nobody_else_may_read_it(path: Path) -> None:
    memory = Memory(path)
    memory.keep([row(ONE, 1)], "e", 1)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()]
    assert len(modes) == 3
    assert set(modes) == {0o600}


def test_a_broken_file_is_put_aside(path: Path) -> None:
    path.write_text("not a database" * 100)
    memory = Memory(path)
    assert memory.rows() == []
    assert memory.progress() == {"": ("", 0)}
    assert path.with_suffix(".broken").exists()


def test_peers_belong_to_their_feed_and_go_with_it(path: Path) -> None:
    memory = Memory(path)
    spec = Peer(id="p", network="n", container="c", host="far", tunnel="192.0.2.2", mac="02:42:0a:00:00:02")
    rows = [
        Row(kind="peer", id=id, revision=3, spec=msgspec.structs.replace(spec, id=id)) for id in ("p", "q")
    ]
    memory.keep(rows, "one", 3, "n")
    assert memory.progress() == {"": ("", 0), "n": ("one", 3)}
    # Nobody waits to be told that one is gone.
    memory.keep([Row(kind="peer", id="p", revision=4)], "one", 4, "n")
    assert memory.rows() == rows[1:]
    memory.drop_feed("n", ["q"])
    assert (memory.rows(), memory.progress()) == ([], {"": ("", 0)})


def test_each_session_is_higher_than_the_one_before_whatever_the_clock_says(path: Path) -> None:
    memory = Memory(path)
    assert [memory.begin_session(at) for at in (100, 50, 200)] == [100, 101, 200]
