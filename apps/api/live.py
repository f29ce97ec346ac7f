"""/ws/events/: what changed, and the live figures that a page asks for while it shows them.

A page says {"watch": {"network": ID}}, {"watch": {"container": ID}} or {"watch": null}; it watches one thing at a time.
{"ping": true} is answered with {"kind": "pong"}: an idle socket and one behind a dead network look the same to a page.
"""

import asyncio
import json
import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from apps.api.texts import check_text
from apps.api.views.connectivity import read_statistics
from apps.common.errors import DomainError
from apps.events.consumers import EventsConsumer
from apps.networks.selectors import find_container, find_network

log = logging.getLogger(__name__)
EVERY = 2.0
"""Seconds between two readings of what interfaces have counted."""
LONGEST = 1000
"""Characters of what a page may say."""


class PageConsumer(EventsConsumer):
    watching: "asyncio.Task[None] | None" = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Begin to watch something else, or nothing; or say that this end is alive."""
        try:
            said = json.loads((text_data or "")[:LONGEST])
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if "ping" in said:
            await self.send(json.dumps({"kind": "pong"}))
        if "watch" not in said:
            return
        self.stop_watching()
        match said["watch"]:
            case {"network": str(id)} if not check_text(id):
                self.watching = asyncio.create_task(self.tell("network", id))
            case {"container": str(id)} if not check_text(id):
                self.watching = asyncio.create_task(self.tell("container", id))

    async def tell(self, kind: str, id: str) -> None:
        """Send figures until the page watches something else, goes, or the thing is gone."""
        while True:
            # Not in the thread that all consumers share: a host that is slow must not hold other pages up.
            try:
                figures = await sync_to_async(read_figures, thread_sensitive=False)(kind, id)
            except DatabaseError as error:
                log.warning("figures of %s %s could not be read: %s", kind, id[:12], error)
            else:
                if figures is None:
                    return
                await self.send(json.dumps({"kind": "statistics", "of": {kind: id}, "statistics": figures}))
            await asyncio.sleep(EVERY)

    def stop_watching(self) -> None:
        if self.watching is not None:
            self.watching.cancel()
            self.watching = None

    async def disconnect(self, code: int) -> None:
        self.stop_watching()


def read_figures(kind: str, id: str) -> Any:
    """None: there is no such thing any more."""
    try:
        return read_statistics(find_network(id) if kind == "network" else find_container(id))
    except DomainError:
        return None
    finally:
        connection.close()
