import pytest_asyncio
from asgiref.sync import sync_to_async

from tests.server.docker_api.engine import Engine
from tests.server.hosts import enrol_host
from tests.server.people import make_user


@pytest_asyncio.fixture
async def engine(db: None, answering: object) -> Engine:
    """Of host node1, whose worker answers."""
    await sync_to_async(make_user)("admin")
    await sync_to_async(enrol_host)("node1")
    return Engine()
