"""Which rows of a message count: the newest of each, and nothing older than what was taken in. Pure."""

from workers.contract.state import Delta, Kind, Row

Subject = tuple[Kind, str]


class Intake:
    """Knows the revision of every row and up to which revision nothing is missing."""

    def __init__(self, epoch: str, revision: int, rows: dict[Subject, int]) -> None:
        self.epoch = epoch
        self.revision = revision
        self._rows = rows
        self._gone: dict[Subject, int] = {}
        self._ahead: set[tuple[int, int]] = set()

    def accept(self, delta: Delta) -> list[Row] | None:
        """The rows to act on; None when the message is of another epoch and not complete: ask for everything."""
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
                self._ahead.discard((base, revision))
        # Of what went up to here, nothing older can count any more.
        self._gone = {
            subject: revision for subject, revision in self._gone.items() if revision > self.revision
        }
