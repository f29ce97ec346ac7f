"""What Docker's clients have open on a host goes through Redis, which may hang."""

import socket
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as configured

from apps.common.errors import Unavailable
from apps.docker_api import sessions
from apps.docker_api.sessions import Session
from apps.hosts.models import Host


@pytest.mark.asyncio
async def test_a_session_is_refused_by_a_redis_that_hangs(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        # Connections are taken by the kernel, but nobody answers.
        url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        settings.ENVIRONMENT = replace(configured.ENVIRONMENT, redis_url=url)
        with pytest.raises(Unavailable, match="Redis cannot be reached"):
            async with Session(Host(name="node1"), "one", "exec", {}):
                pytest.fail("it listens")
