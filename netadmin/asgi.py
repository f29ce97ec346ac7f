"""The web server's application: HTTP for Django and for clients of the Docker Engine, WebSockets for Channels."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netadmin.settings")
django.setup(set_prefix=False)

# What follows needs the apps that the line above has loaded.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from apps.accounts.lasting import Lasting  # noqa: E402
from apps.accounts.websockets import Authenticated  # noqa: E402
from apps.api.live import PageConsumer  # noqa: E402
from apps.api.openings import Openings  # noqa: E402
from apps.api.streams import ExecConsumer, LogsConsumer  # noqa: E402
from apps.docker_api.application import DockerApi  # noqa: E402
from apps.health.requests import Timed  # noqa: E402
from netadmin.handler import ThreadedHandler  # noqa: E402
from netadmin.traced import Traced  # noqa: E402

consumers: dict[str, Any] = {
    "ws/events/": PageConsumer.as_asgi(),
    "ws/containers/<str:id>/exec/": ExecConsumer.as_asgi(),
    "ws/containers/<str:id>/logs/": LogsConsumer.as_asgi(),
}
# Channels' router takes ASGI applications where Django's takes views.
websockets: list[Any] = [path(route, consumer) for route, consumer in consumers.items()]
application = ProtocolTypeRouter(
    {
        "http": Traced(Timed(DockerApi(ThreadedHandler()))),
        "websocket": Traced(Openings(Authenticated(Lasting(URLRouter(websockets))))),
    }
)
