"""The web server's application: HTTP for Django, WebSockets for Channels."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netadmin.settings")
http = get_asgi_application()

# What follows needs the apps that the line above has loaded.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from apps.accounts.websockets import Authenticated  # noqa: E402
from apps.api.live import PageConsumer  # noqa: E402
from apps.api.streams import ExecConsumer, LogsConsumer  # noqa: E402

consumers: dict[str, Any] = {
    "ws/events/": PageConsumer.as_asgi(),
    "ws/containers/<str:id>/exec/": ExecConsumer.as_asgi(),
    "ws/containers/<str:id>/logs/": LogsConsumer.as_asgi(),
}
# Channels' router takes ASGI applications where Django's takes views.
websockets: list[Any] = [path(route, consumer) for route, consumer in consumers.items()]
application = ProtocolTypeRouter({"http": http, "websocket": Authenticated(URLRouter(websockets))})
