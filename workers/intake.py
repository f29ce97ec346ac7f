"""Which rows of a message count: the newest of each, and nothing older than what was taken in. Pure."""

from workers.contract.state import Delta, Kind, Row

Subject = tuple[Kind, str]


class Intake:
    """Knows the revision of every row and up to which revision nothing is missing."""

    def __init__(self, epoch: str, revision: int, rows: dict[Subject, int]) -> None:
        self.epoch = epoch
        self.revision = revision
        self._rows = rows
        self._ahead: list[tuple[int, int]] = []

    def accept(self, delta: Delta) -> list[Row] | None:
        """The rows to act on; None when the message is of another epoch and not complete: ask for everything."""
        if delta.epoch != self.epoch:
            if not delta.full:
                return None
            self.epoch, self.revision, self._ahead = delta.epoch, 0, []
            self._rows = dict.fromkeys(self._rows, -1)
        rows = [row for row in delta.rows if self._counts(row, delta.full)]
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
            else:
                self._rows[row.kind, row.id] = row.revision
        self._advance(delta)
        return rows

    def _counts(self, row: Row, full: bool) -> bool:
        known = self._rows.get((row.kind, row.id))
        if known is not None:
            return row.revision >= known
        # Unknown and not newer than what was taken in: it came, and went again since.
        return full or row.spec is None or row.revision > self.revision

    def _advance(self, delta: Delta) -> None:
        self._ahead.append((0 if delta.full else delta.base, delta.revision))
        self._ahead.sort()
        waiting = []
        for base, revision in self._ahead:
            if base <= self.revision:
                self.revision = max(self.revision, revision)
            else:
                waiting.append((base, revision))
        self._ahead = waiting
