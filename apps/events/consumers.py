"""/ws/events/: tells open pages what has changed; what it is now, REST says."""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from apps.events.door import GROUP


class EventsConsumer(AsyncWebsocketConsumer):
    """For everybody who is signed in."""

    groups = [GROUP]

    async def connect(self) -> None:
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close()
            return
        await self.accept()

    async def change(self, message: dict[str, Any]) -> None:
        """Pass on what `door.announce` was told."""
        await self.send(json.dumps({key: message[key] for key in ("kind", "id", "change", "at")}))
