"""The one door to Channels: everything that open pages are told goes through here."""

import logging
from datetime import UTC, datetime

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = logging.getLogger(__name__)
GROUP = "events"


def announce(*, kind: str, id: str, change: str) -> None:
    """Tell every open page that the object changed; what it is now, REST says."""
    message = {
        "type": "change",
        "kind": kind,
        "id": id,
        "change": change,
        "at": datetime.now(UTC).isoformat(),
    }
    try:
        async_to_sync(get_channel_layer().group_send)(GROUP, message)
    except (OSError, ConnectionError) as error:
        # A page that missed an event looks again by itself; the change must not fail for it.
        log.warning("open pages were not told of %s %s: %s", kind, id, error)
