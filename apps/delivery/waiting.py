"""Waiting until a change is made true. Who waits takes in the host's report on it himself: that is the shortest way.

The report comes to the server's worker too, which finds it taken in; whoever is first, it counts once, in its order
and under the host's lock. So an answer never says more than the record.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import connection

from apps.delivery.answers import await_either
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


def await_outcome(operation: Operation, timeout: float) -> None:
    """Fill in the operation's outcome; it stays pending when there is none within `timeout` seconds, or when too many
    wait for the same host already."""
    with seats.take(operation.host_id) as seated:
        if seated:
            _await_outcome(operation, timeout)


def _await_outcome(operation: Operation, timeout: float) -> None:
    until = time.monotonic() + timeout
    told, reported = str(operation.pk), name_report(operation)
    while operation.outcome == Operation.Outcome.PENDING:
        _give_back_connection()
        found = await_either([told, reported], until - time.monotonic())
        if found is None:
            operation.refresh_from_db(fields=["outcome", "message", "finished"])
            return
        question, text = found
        if question == told:
            operation.outcome, _, operation.message = text.partition(" ")
        else:
            _take_in(operation, text)


def name_report(operation: Operation) -> str:
    """Under which name the host of the operation gives its report to who waits; empty for what spans hosts."""
    return f"{operation.host.name}:{operation.pk}" if operation.host else ""


def _take_in(operation: Operation, text: str) -> None:
    assert operation.host is not None
    finished: list[Operation] | None = None
    # What is forged or broken is as good as nothing: the wait goes on.
    with suppress(Refused, ValueError):
        finished = take_in(operation.host, json.loads(text), waiting=operation)
    for each in finished or ():
        if each.pk == operation.pk:
            operation.outcome, operation.message, operation.finished = (
                each.outcome,
                each.message,
                each.finished,
            )
            return
    operation.refresh_from_db(fields=["outcome", "message", "finished"])


def _give_back_connection() -> None:
    """While a host works, its request must not keep a connection of the pool from others."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
