"""What open pages are told of operations."""

from collections import Counter
from collections.abc import Iterable

from apps.delivery.models import Operation
from apps.events.door import announce

MANY = 25
"""Changes of one sort at once of which pages are no longer told one by one: they look at all of the kind again."""


def announce_operations(operations: Iterable[Operation]) -> None:
    """Something about the operations' subjects changed."""
    news = [(each.subject, f"{each.action}:{each.outcome}", each.subject_id) for each in operations]
    sorts = Counter((kind, change) for kind, change, _ in news)
    for (kind, change), count in sorts.items():
        if count > MANY:
            announce(kind=kind, id="", change=change)
    for kind, change, id in news:
        if sorts[kind, change] <= MANY:
            announce(kind=kind, id=id, change=change)
