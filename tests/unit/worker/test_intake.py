"""Messages come late, twice, out of order, or not at all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.worker.specs import container, removal, row
from workers.contract.state import Delta, Peer, Row
from workers.intake import Feeds, Intake

ONE, TWO = container("one"), container("two")


def delta(base: int, revision: int, *rows: Row, full: bool = False, epoch: str = "e") -> Delta:
    return Delta(host="here", epoch=epoch, base=base, revision=revision, full=full, rows=rows)


def test_rows_are_taken_in_once_and_again_when_doubled() -> None:
    intake = Intake("e", 0, {})
    message = delta(0, 1, row(ONE, 1))
    assert intake.accept(message) == [row(ONE, 1)]
    assert intake.accept(message) == [row(ONE, 1)]
    assert intake.revision == 1


def test_an_older_row_does_not_replace_a_newer_one() -> None:
    intake = Intake("e", 0, {})
    intake.accept(delta(1, 2, row(ONE, 2)))
    assert intake.accept(delta(0, 1, row(ONE, 1))) == []
    assert intake.revision == 2


def test_a_gap_holds_back_what_is_acknowledged_until_it_is_filled() -> None:
    intake = Intake("e", 0, {})
    assert intake.accept(delta(2, 3, row(TWO, 3))) == [row(TWO, 3)]
    assert intake.revision == 0
    intake.accept(delta(0, 1))
    assert intake.revision == 1
    intake.accept(delta(1, 2))
    assert intake.revision == 3


def test_a_row_removed_ahead_of_its_creation_stays_removed() -> None:
    intake = Intake("e", 0, {})
    assert intake.accept(delta(1, 2, removal(ONE, 2))) == [removal(ONE, 2)]
    assert intake.accept(delta(0, 1, row(ONE, 1))) == []


def test_a_late_creation_does_not_bring_a_removed_row_back() -> None:
    intake = Intake("e", 0, {})
    intake.accept(delta(0, 1, row(ONE, 1)))
    intake.accept(delta(1, 2, removal(ONE, 2)))
    assert intake.accept(delta(0, 1, row(ONE, 1))) == []


def test_a_late_full_state_does_not_bring_a_removed_row_back() -> None:
    intake = Intake("e", 0, {})
    full = delta(0, 1, row(ONE, 1), full=True)
    intake.accept(full)
    intake.accept(delta(1, 2, removal(ONE, 2)))
    assert intake.accept(full) == []


def test_a_late_full_state_does_not_remove_what_came_after_it() -> None:
    intake = Intake("e", 0, {})
    intake.accept(delta(1, 2, row(TWO, 2)))
    assert intake.accept(delta(0, 1, row(ONE, 1), full=True)) == [row(ONE, 1)]
    assert intake.revision == 2


def test_a_full_state_removes_what_it_does_not_name() -> None:
    intake = Intake("e", 4, {("container", ONE.id): 1, ("container", TWO.id): 2})
    assert intake.accept(delta(0, 5, row(ONE, 1), full=True)) == [row(ONE, 1), removal(TWO, 5)]
    assert intake.revision == 5


def test_a_full_state_brings_what_memory_lost() -> None:
    intake = Intake("e", 5, {})
    assert intake.accept(delta(0, 5, row(ONE, 1), full=True)) == [row(ONE, 1)]


def test_a_removal_of_what_is_unknown_is_passed_on_to_be_confirmed() -> None:
    assert Intake("e", 5, {}).accept(delta(4, 5, removal(ONE, 3))) == [removal(ONE, 3)]


def test_another_epoch_needs_everything() -> None:
    intake = Intake("e", 9, {("container", ONE.id): 9, ("container", TWO.id): 9})
    assert intake.accept(delta(1, 2, row(ONE, 2), epoch="f")) is None
    assert (intake.epoch, intake.revision) == ("e", 9)
    # Its revisions count anew: a lower one is no older.
    accepted = intake.accept(delta(0, 2, row(ONE, 2), full=True, epoch="f"))
    assert accepted == [row(ONE, 2), removal(TWO, 2)]
    assert (intake.epoch, intake.revision) == ("f", 2)


@settings(max_examples=300)
@given(st.data())
def test_any_order_of_the_same_messages_comes_to_the_same_rows(data: st.DataObject) -> None:
    specs = [container(name) for name in "abc"]
    truth: dict[str, int] = {}
    messages = []
    for revision in range(1, data.draw(st.integers(2, 8)) + 1):
        spec = data.draw(st.sampled_from(specs))
        # An id is never used again, as on the server.
        gone = truth.get(spec.id) == -1 or (spec.id in truth and data.draw(st.booleans()))
        truth[spec.id] = -1 if gone else revision
        messages.append(
            delta(revision - 1, revision, removal(spec, revision) if gone else row(spec, revision))
        )
    order = data.draw(st.permutations(messages + data.draw(st.lists(st.sampled_from(messages), max_size=3))))
    intake, rows = Intake("e", 0, {}), dict[str, int]()
    for message in order:
        for each in intake.accept(message) or []:
            rows[each.id] = -1 if each.spec is None else each.revision
    assert rows == truth
    assert intake.revision == len(messages)


EARLY, LATE = "1700000000000.aa", "1800000000000.bb"


def feed(
    network: str, *rows: Row, epoch: str = EARLY, base: int = 0, revision: int = 9, full: bool = False
) -> Delta:
    return Delta(host="here", epoch=epoch, feed=network, base=base, revision=revision, full=full, rows=rows)


def test_a_message_of_an_epoch_that_is_over_belongs_nowhere() -> None:
    feeds = Feeds({"": (LATE, 7)}, [])
    assert feeds.of(feed("", epoch=EARLY, full=True)) is None
    assert feeds.of(feed("n", epoch=EARLY, full=True)) is None
    assert feeds.of(feed("", epoch="from before epochs had dates", full=True)) is None
    assert feeds.of(feed("", epoch=LATE)) is feeds.own


def test_a_feed_begins_with_all_of_it() -> None:
    feeds = Feeds({"": (EARLY, 7)}, [])
    assert feeds.of(feed("n", base=3)) is None
    intake = feeds.of(feed("n", full=True))
    assert intake is not None and feeds.of(feed("n", base=3)) is intake


def test_a_gap_is_known_till_it_is_filled_and_news_are_told_once() -> None:
    feeds = Feeds({"": (EARLY, 7), "n": (EARLY, 3)}, [])
    late = feed("n", base=4, revision=5)
    intake = feeds.of(late)
    assert intake is not None and intake.accept(late) == []
    assert (feeds.gaps(), feeds.news(), feeds.news()) == ({"n": 3}, {"n": 3}, {})
    missing = feed("n", base=3, revision=4)
    intake.accept(missing)
    assert (feeds.gaps(), feeds.news()) == ({}, {"n": 5})


def test_with_its_network_a_feed_goes_and_all_its_peers() -> None:
    spec = Peer(id="p", network="n", container="c", host="far", tunnel="192.0.2.2", mac="02:42:0a:00:00:02")
    feeds = Feeds({"": (EARLY, 7)}, [Row(kind="peer", id="p", revision=2, spec=spec)])
    gone = Row(kind="network", id="n", revision=8)
    assert feeds.leave(gone) == [Row(kind="peer", id="p", revision=8)]
    assert feeds.leave(gone) == []
