"""/ws/events/: tells open pages what has changed; what it is now, REST says."""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from apps.events.door import GROUP


class EventsConsumer(AsyncWebsocketConsumer):
    """For everybody who is signed in, as all who come here are."""

    groups = [GROUP]

    async def change(self, message: dict[str, Any]) -> None:
        """Pass on what `door.announce` was told."""
        await self.send(json.dumps({key: message[key] for key in ("kind", "id", "change", "at")}))
