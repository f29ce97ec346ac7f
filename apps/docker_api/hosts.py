"""Which hosts there are, told whenever that may have changed."""

import asyncio
import logging
from collections.abc import AsyncIterator

from django.db import DatabaseError

from apps.docker_api.news import Listener
from apps.docker_api.threads import in_thread
from apps.hosts.models import Host

log = logging.getLogger(__name__)
AT_LEAST_EVERY = 10.0
"""Seconds: an announcement may be lost."""


async def follow_host_names() -> AsyncIterator[set[str]]:
    """At once, whenever something about a host has changed, and now and then."""
    async with Listener(lambda message: message["kind"] == "host") as news:
        while True:
            try:
                yield await in_thread(_names)
            except DatabaseError as error:
                log.warning("hosts cannot be read: %s", error)
            await news.wait(AT_LEAST_EVERY)
            await asyncio.sleep(0)


def _names() -> set[str]:
    return set(Host.objects.values_list("name", flat=True))
