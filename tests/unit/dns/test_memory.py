"""The remembered entries, in real files."""

import logging
from pathlib import Path

import pytest

from workers.contract.names import Attachment, Entry, Holder, View
from workers.contract.state import Link
from workers.dns.memory import Memory

HOLDER = Holder(endpoint="e", container="c", network="n", names=("x", "y"), ipv4="10.0.0.1", order=3)
VIEW = View(
    container="c",
    sandbox="box",
    attachments=(Attachment(network="n", network_name="net", links=(Link(target="t", alias="a"),)),),
    forward=False,
)


def recall(path: Path) -> list[Entry]:
    memory = Memory(path)
    entries = memory.load()
    memory.close()
    return entries


def test_entries_come_back_as_they_were_stored(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    memory = Memory(path)
    memory.store([HOLDER, VIEW], [])
    memory.close()
    assert sorted(recall(path), key=str) == sorted([HOLDER, VIEW], key=str)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_later_entry_replaces_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    memory = Memory(path)
    memory.store([HOLDER, VIEW], [])
    changed = Holder(endpoint="e", container="c", network="n", names=("z",))
    memory.store([changed], [("view", "c"), ("holder", "never was")])
    memory.close()
    assert recall(path) == [changed]


def test_replacing_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    memory = Memory(path)
    memory.store([HOLDER], [])
    memory.replace([VIEW])
    memory.close()
    assert recall(path) == [VIEW]


def test_a_damaged_file_is_put_aside_and_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "memory"
    path.write_bytes(b"no database at all" * 100)
    with caplog.at_level(logging.ERROR):
        assert recall(path) == []
    assert "put aside as memory.broken" in caplog.text
    assert (tmp_path / "memory.broken").read_bytes().startswith(b"no database")


def test_an_entry_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    memory = Memory(path)
    memory.store([HOLDER, VIEW], [])
    with memory._connection as connection:
        connection.execute("UPDATE entries SET body = '{}' WHERE kind = 'view'")
    memory.close()
    assert recall(path) == [HOLDER]
