"""To whom a report goes besides the server: to those whose rows it may be about, until all are told."""

import pytest

from workers import awaited as module
from workers.awaited import Awaited
from workers.contract.reports import Outcome
from workers.contract.state import Kind, Row


def row(kind: Kind, id: str) -> Row:
    return Row(kind=kind, id=id, revision=1)


def outcome(kind: Kind, id: str) -> Outcome:
    return Outcome(kind=kind, id=id, revision=1, state="applied")


def test_who_waits_gets_every_report_until_all_rows_are_told() -> None:
    awaited = Awaited()
    awaited.add("stop", [row("container", "c"), row("endpoint", "e")])
    assert awaited.tell([outcome("endpoint", "e")]) == {"stop"}
    assert awaited.tell([]) == {"stop"}
    assert awaited.tell([outcome("container", "c")]) == {"stop"}
    assert awaited.tell([outcome("container", "c")]) == set()


def test_a_change_without_rows_waits_for_one_report() -> None:
    awaited = Awaited()
    awaited.add("nothing", [])
    assert awaited.tell([]) == {"nothing"}
    assert awaited.tell([]) == set()


def test_nobody_is_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    awaited = Awaited()
    awaited.add("stop", [row("container", "c")])
    awaited.tell([])
    assert awaited.tell([]) == set()
