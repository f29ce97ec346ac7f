"""The one door to Channels: everything that open pages are told goes through here."""

import asyncio
import logging
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)
GROUP = "events"


def announce(*, kind: str, id: str, change: str) -> None:
    """Tell every open page that the object changed, or without an `id` many of its kind; what it is now, REST says.

    Returns at once. A page that misses an event looks again by itself, so a failure is logged and no more.
    """
    message = {
        "type": "change",
        "kind": kind,
        "id": id,
        "change": change,
        "at": datetime.now(UTC).isoformat(),
    }
    layer = get_channel_layer()
    assert layer is not None, "settings name one"
    asyncio.run_coroutine_threadsafe(layer.group_send(GROUP, message), _loop()).add_done_callback(_log)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop of our own: the layer keeps one connection a loop, and callers here have none, or one each request."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="events", daemon=True).start()
    return loop


def _log(sent: "Future[None]") -> None:
    error = sent.exception()
    if error is not None:
        log.warning("open pages were not told of a change: %s", error)
