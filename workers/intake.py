"""Which rows of a message count: the newest of each, and nothing older than what was taken in. Pure."""

import re
from collections.abc import Iterable

from workers.contract.state import Delta, Kind, Peer, Row

Subject = tuple[Kind, str]
_DATED = re.compile(r"\d{13}\.")


def is_older(epoch: str, than: str) -> bool:
    """Epochs begin with the time since when they count; what does not is from before they did."""
    return _date(epoch) < _date(than)


def _date(epoch: str) -> str:
    return epoch if _DATED.match(epoch) else ""


class Intake:
    """One feed: knows the revision of every row and up to which revision nothing is missing."""

    def __init__(self, epoch: str, revision: int, rows: dict[Subject, int]) -> None:
        self.epoch = epoch
        self.revision = revision
        self._rows = rows
        self._gone: dict[Subject, int] = {}
        self._ahead: set[tuple[int, int]] = set()

    def accept(self, delta: Delta) -> list[Row] | None:
        """The rows to act on; None when the message is of another epoch and not complete: ask for everything.

        A message of an older epoch than ours is late, or somebody's who kept it: there is nothing to act on.
        """
        if is_older(delta.epoch, self.epoch):
            return []
        if delta.epoch != self.epoch:
            if not delta.full:
                return None
            self.epoch, self.revision, self._gone, self._ahead = delta.epoch, 0, {}, set()
            self._rows = dict.fromkeys(self._rows, -1)
        rows = [row for row in delta.rows if self._counts(row, delta)]
        if delta.full:
            named = {(row.kind, row.id) for row in delta.rows}
            # A row that a newer message brought meanwhile is not gone because an older complete one lacks it.
            rows += [
                Row(kind=kind, id=id, revision=delta.revision)
                for (kind, id), revision in self._rows.items()
                if (kind, id) not in named and revision <= delta.revision
            ]
        for row in rows:
            if row.spec is None:
                self._rows.pop((row.kind, row.id), None)
                self._gone[row.kind, row.id] = row.revision
            else:
                self._rows[row.kind, row.id] = row.revision
        self._advance(delta)
        return rows

    @property
    def has_gap(self) -> bool:
        """Something came after what is not here yet."""
        return bool(self._ahead)

    def subjects(self) -> list[Subject]:
        return list(self._rows)

    def _counts(self, row: Row, delta: Delta) -> bool:
        known = self._rows.get((row.kind, row.id))
        if known is not None:
            return row.revision >= known
        if row.spec is None:
            return True
        if row.revision < self._gone.get((row.kind, row.id), 0):
            return False
        # Unknown and not newer than what was taken in: it came, and went again since.
        return row.revision > self.revision or (delta.full and delta.revision >= self.revision)

    def _advance(self, delta: Delta) -> None:
        self._ahead.add((0 if delta.full else delta.base, delta.revision))
        for base, revision in sorted(self._ahead):
            if base <= self.revision:
                self.revision = max(self.revision, revision)
        self._ahead = {(base, revision) for base, revision in self._ahead if revision > self.revision}
        # Of what went up to here, nothing older can count any more.
        self._gone = {
            subject: revision for subject, revision in self._gone.items() if revision > self.revision
        }


class Feeds:
    """The host's own feed, under the empty name, and those of the peers of its overlays."""

    def __init__(self, progress: dict[str, tuple[str, int]], rows: Iterable[Row]) -> None:
        """`progress`: (epoch, revision) by feed; `rows`: all that are known."""
        known: dict[str, dict[Subject, int]] = {"": {}}
        for row in rows:
            if row.spec is not None:
                feed = row.spec.network if isinstance(row.spec, Peer) else ""
                known.setdefault(feed, {})[row.kind, row.id] = row.revision
        self._intakes = {
            feed: Intake(*progress.get(feed, ("", 0)), known.get(feed, {})) for feed in {*known, *progress}
        }
        self._told: dict[str, int] = {}

    @property
    def own(self) -> Intake:
        return self._intakes[""]

    def of(self, delta: Delta) -> Intake | None:
        """Where the message belongs; None when its epoch is over, or it goes on with what never began here."""
        intake = self._intakes.get(delta.feed)
        if intake is None and delta.full:
            # Peers come before their network: its first endpoint must not come up among strangers.
            intake = self._intakes[delta.feed] = Intake("", 0, {})
        if intake is None or is_older(delta.epoch, max(intake.epoch, self.own.epoch, key=_date)):
            return None
        return intake

    def leave(self, network: Row) -> list[Row]:
        """This host is on the network no more, so it is told of its peers no more: the rows that take them away."""
        intake = self._intakes.pop(network.id, None)
        self._told.pop(network.id, None)
        subjects = intake.subjects() if intake else []
        return [Row(kind=kind, id=id, revision=network.revision) for kind, id in subjects]

    def gaps(self) -> dict[str, int]:
        """Feeds of peers that miss something, with the revision up to which they do not. The own one is sent again
        anyway."""
        return {feed: intake.revision for feed, intake in self._intakes.items() if feed and intake.has_gap}

    def news(self) -> dict[str, int]:
        """How far this host is with the peers of its networks, where that was not told yet."""
        now = {feed: intake.revision for feed, intake in self._intakes.items() if feed}
        news = {feed: revision for feed, revision in now.items() if self._told.get(feed) != revision}
        self._told = now
        return news


def newest(rows: list[Row]) -> list[Row]:
    """Of several rows of one object that came together, the newest."""
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = newest.get((row.kind, row.id))
        if known is None or row.revision >= known.revision:
            newest[row.kind, row.id] = row
    return list(newest.values())
