"""Waiting until changes are made true. Who waits takes in the host's report on them himself: that is the shortest way.

The report comes to the server's worker too, which finds it taken in; whoever is first, it counts once, in its order
and under the host's lock. So an answer never says more than the record.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from django.db import connection

from apps.delivery.answers import await_either, read_answer
from apps.delivery.models import Operation
from apps.delivery.receiver import take_in
from workers.contract.envelope import Refused

MOST = 64
"""Requests that wait for one host at once. Each keeps a thread: a host that is slow must not take them all."""


class Seats:
    """Who waits for what, in this process."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._taken: Counter[object] = Counter()

    @contextmanager
    def take(self, what: object) -> Iterator[bool]:
        """Whether there is a seat for one more; it is free again at the end."""
        with self._lock:
            seated = self._taken[what] < self._most
            self._taken[what] += seated
        try:
            yield seated
        finally:
            with self._lock:
                self._taken[what] -= seated
                if not self._taken[what]:
                    del self._taken[what]


seats = Seats(MOST)
OUTCOME = ("outcome", "message", "code", "finished")
"""Fields that say what became of an operation."""


def await_outcomes(groups: Iterable[Sequence[Operation]], timeout: float) -> None:
    """Fill in what became of the operations, which are grouped by what one host, or the hosts of one network, answer.

    A host reports under the name of the first of its group. What is not answered within `timeout` seconds stays
    pending, and so does what is for a host for which too many wait already.
    """
    with ExitStack() as taken:
        _await([group for group in groups if taken.enter_context(seats.take(group[0].host_id))], timeout)


def _await(groups: Iterable[Sequence[Operation]], timeout: float) -> None:
    until = time.monotonic() + timeout
    left = [group for group in groups if _pending(group)]
    while left:
        _give_back_connection()
        told = {str(_pending(group)[0].pk): group for group in left}
        reported = {name_report(group[0]): group for group in left}
        found = await_either([*told, *reported], until - time.monotonic())
        if found is None:
            _refresh([operation for group in left for operation in group])
            return
        question, text = found
        if question in told:
            _take_outcome(told[question], text)
        else:
            _take_in(reported[question], text)
        left = [group for group in left if _pending(group)]


def name_report(operation: Operation) -> str:
    """Under which name the operation's host gives its report to who waits; nobody does for what spans hosts."""
    return f"{operation.host.name if operation.host else ''}:{operation.pk}"


def _pending(operations: Iterable[Operation]) -> list[Operation]:
    return [operation for operation in operations if operation.outcome == Operation.Outcome.PENDING]


def _take_outcome(group: Sequence[Operation], text: str) -> None:
    """The server's worker has told what became of the first that is pending."""
    first, *others = _pending(group)
    read_answer(first, text)
    _refresh(others)


def _take_in(group: Sequence[Operation], text: str) -> None:
    host = group[0].host
    assert host is not None
    finished: list[Operation] | None = None
    # What is forged or broken is as good as nothing: the wait goes on.
    with suppress(Refused, ValueError):
        finished = take_in(host, json.loads(text), waiting=group)
    _copy(finished or (), group)
    _refresh(_pending(group))


def _refresh(operations: Sequence[Operation]) -> None:
    if operations:
        _copy(Operation.objects.filter(pk__in=[operation.pk for operation in operations]), operations)


def _copy(known: Iterable[Operation], operations: Sequence[Operation]) -> None:
    by_id = {operation.pk: operation for operation in known}
    for operation in operations:
        same = by_id.get(operation.pk)
        if same is not None:
            for name in OUTCOME:
                setattr(operation, name, getattr(same, name))


def _give_back_connection() -> None:
    """While a host works, its request must not keep a connection of the pool from others."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
