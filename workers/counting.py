"""What a host counts of its own work, for the server to show: see `contract.reports.Counts`."""

import logging
from collections.abc import Mapping

import msgspec

from workers.contract.reports import Counts, Timing
from workers.dns.client import NameService, NameServiceError
from workers.local.timing import WORK, Stopwatch

log = logging.getLogger(__name__)
PATIENCE = 0.5
"""Seconds that the name service may take to say what it has counted: the host's work waits meanwhile."""


class Ledger:
    """To be used from the agent's thread alone."""

    def __init__(self, dns: str) -> None:
        """`dns`: the control socket of the name service."""
        self.waits, self.changes, self.looks = Stopwatch(WORK), Stopwatch(WORK), Stopwatch(WORK)
        self.drift = 0
        self._names = NameService(dns, timeout=PATIENCE)

    def tell(self, done: Mapping[str, int], failed: Mapping[str, int]) -> Counts:
        """`done`, `failed`: operations by kind of object."""
        names, views = self._ask_names()
        return Counts(
            waits=self.waits.tell(),
            changes=self.changes.tell(),
            looks=self.looks.tell(),
            drift=self.drift,
            operations=dict(done),
            failures=dict(failed),
            names=names,
            views=views,
        )

    def _ask_names(self) -> tuple[dict[str, Timing], dict[str, int]]:
        """Nothing while the name service is away."""
        try:
            told = self._names.stats()
            names = msgspec.convert(told["timings"], type=dict[str, Timing])
        except (NameServiceError, KeyError, msgspec.ValidationError) as error:
            log.debug("the name service does not say what it has counted: %s", error)
            return {}, {}
        return names, {"answering": told["views"] - told["failed_views"], "failed": told["failed_views"]}
