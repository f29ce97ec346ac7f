"""What open pages are told of operations."""

from apps.delivery.models import Operation
from apps.events.door import announce


def announce_operation(operation: Operation) -> None:
    """Something about the operation's subject changed."""
    announce(
        kind=operation.subject, id=operation.subject_id, change=f"{operation.action}:{operation.outcome}"
    )
