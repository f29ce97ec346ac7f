"""Work that meets: done together by the first who waited, and by nobody else's fault undone."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from apps.common.turns import Turns

LINE = "a host"


class Work:
    """Doubles numbers, several at once; the first waits until it may. Refuses 13, and does 7 only alone."""

    def __init__(self) -> None:
        self.done: list[list[int]] = []
        self.begun, self.may = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | None]:
        self.done.append(sorted(numbers))
        if not self.begun.is_set():
            self.begun.set()
            assert self.may.wait(60)
        if 13 in numbers:
            raise ValueError("13")
        return [None if number == 7 and len(numbers) > 1 else 2 * number for number in numbers]


def meet(work: Work, numbers: Sequence[int], most: int = 10) -> dict[int, Future[int]]:
    """The first is at work while all others come; what came of each."""
    turns = Turns(work, most)
    with ThreadPoolExecutor(len(numbers)) as threads:
        begun = {numbers[0]: threads.submit(turns.take, LINE, numbers[0])}
        assert work.begun.wait(60)
        begun |= {number: threads.submit(turns.take, LINE, number) for number in numbers[1:]}
        await_true(lambda: len(turns._lines[LINE]) == len(numbers))
        work.may.set()
    assert not turns._lines, "nobody is left"
    return begun


def await_true(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_waits_is_done_together_and_each_gets_its_own() -> None:
    work = Work()
    results = meet(work, [1, 2, 3, 4])
    assert {number: result.result() for number, result in results.items()} == {1: 2, 2: 4, 3: 6, 4: 8}
    assert work.done == [[1], [2, 3, 4]]


def test_no_more_than_the_most_are_done_at_once() -> None:
    work = Work()
    results = meet(work, [1, 2, 3, 4, 5, 6], most=2)
    assert [result.result() for result in results.values()] == [2, 4, 6, 8, 10, 12]
    assert [len(numbers) for numbers in work.done] == [1, 2, 2, 1]


def test_what_is_refused_is_refused_to_the_one_whose_fault_it_is() -> None:
    work = Work()
    results = meet(work, [1, 2, 13, 4])
    with pytest.raises(ValueError, match="13"):
        results.pop(13).result()
    assert {number: result.result() for number, result in results.items()} == {1: 2, 2: 4, 4: 8}
    assert (work.done[:2], sorted(work.done[2:])) == ([[1], [2, 4, 13]], [[2], [4], [13]])


def test_what_cannot_be_done_with_others_is_done_alone() -> None:
    work = Work()
    results = meet(work, [1, 2, 7])
    assert {number: result.result() for number, result in results.items()} == {1: 2, 2: 4, 7: 14}
    assert work.done == [[1], [2, 7], [7]]


def test_a_refused_first_one_leaves_the_line_to_the_others() -> None:
    work = Work()
    results = meet(work, [13, 2])
    with pytest.raises(ValueError, match="13"):
        results[13].result()
    assert results[2].result() == 4


def test_lines_do_not_wait_for_each_other() -> None:
    work = Work()
    turns = Turns(work, 10)
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(turns.take, LINE, 1)
        assert work.begun.wait(60)
        assert turns.take("another host", 2) == 4
        assert not held.done()
        work.may.set()
    assert held.result() == 2
