"""Who waits for what becomes of which rows. Pure but for the clock."""

import time
from collections.abc import Iterable

from workers.contract.reports import Outcome
from workers.contract.state import Kind, Row

PATIENCE = 60.0
"""Seconds after which nobody waits any more."""


class Awaited:
    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, set[tuple[Kind, str]]]] = {}

    def add(self, name: str, rows: Iterable[Row]) -> None:
        """Under that name somebody waits until something is told of each of the rows."""
        self._rows[name] = (time.monotonic() + PATIENCE, {(row.kind, row.id) for row in rows})

    def tell(self, outcomes: Iterable[Outcome]) -> set[str]:
        """The names of all who wait: this report may be what they wait for. Whose rows are all told, waits no more."""
        names, now = set(self._rows), time.monotonic()
        told = {(outcome.kind, outcome.id) for outcome in outcomes}
        self._rows = {
            name: (until, left)
            for name, (until, rows) in self._rows.items()
            if until > now and (left := rows - told)
        }
        return names
