"""What one sandbox may take, and what it leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.dns.answers import LONGEST, Answers
from workers.dns.shares import Pool, Share


def take_all(share: Share) -> int:
    while share.take():
        pass
    return share.held


def test_one_alone_takes_no_more_than_a_share_may_hold() -> None:
    assert take_all(Share(Pool(1024), 256)) == 256


@given(takers=st.integers(0, 12))
def test_whoever_comes_with_nothing_finds_something(takers: int) -> None:
    pool = Pool(2**14)
    for _ in range(takers):
        take_all(Share(pool, 2**14))
    assert Share(pool, 1).take()


@given(takers=st.integers(1, 30))
def test_those_who_take_by_turns_come_to_equal_parts(takers: int) -> None:
    pool = Pool(1000)
    shares = [Share(pool, 1000) for _ in range(takers)]
    while any([share.take() for share in shares]):
        pass
    held = [share.held for share in shares]
    assert max(held) - min(held) <= 1
    assert abs(held[0] - 1000 / (takers + 1)) <= 2


@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), max_size=80))
def test_the_pool_has_taken_what_its_shares_hold(steps: list[tuple[int, int]]) -> None:
    pool = Pool(300)
    shares = [Share(pool, 120) for _ in range(4)]
    for who, amount in steps:
        if not shares[who].take(amount):
            shares[who].give_back(shares[who].held)
        assert pool.taken == sum(share.held for share in shares) <= 300
        assert all(share.held <= 120 for share in shares)


def test_kept_answers_stay_within_their_bytes_and_the_newest_is_known() -> None:
    pool = Pool(1 << 20)
    answers = Answers(Share(pool, 10_000))
    for number in range(500):
        question = number.to_bytes(30, "big")
        answers.keep(question, b"reply")
        assert answers.get(question) == b"reply"
        assert pool.taken <= 10_000
    answers.clear()
    assert (pool.taken, answers.get(question)) == (0, None)


@pytest.mark.parametrize(("size", "kept"), [(LONGEST, True), (LONGEST + 1, False)])
def test_a_question_that_is_long_is_not_kept(size: int, kept: bool) -> None:
    answers = Answers(Share(Pool(1 << 20), 10_000))
    answers.keep(bytes(size), b"reply")
    assert (answers.get(bytes(size)) is not None) is kept
