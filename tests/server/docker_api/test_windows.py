"""The window of a terminal is resized by who may use the terminal."""

import pytest

from tests.server.docker_api.engine import Engine
from tests.server.docker_api.test_lasting import holder, running

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.mark.parametrize(("role", "status"), [("member", 403), ("operator", 200)])
async def test_the_window_of_a_command_belongs_to_who_may_give_it(
    engine: Engine, role: str, status: int
) -> None:
    async with running():
        made = await engine.ask("POST", "/containers/c1/exec", {"Cmd": ["sh"], "Tty": True})
        client = await holder(role)
        reply = await client.ask("POST", f"/exec/{made.content['Id']}/resize", h="40", w="100")
    assert reply.status == status


async def test_the_window_of_a_container_belongs_to_who_may_attach_to_it(engine: Engine) -> None:
    client = await holder("member")
    async with running():
        reply = await client.ask("POST", "/containers/c1/resize", h="40", w="100")
    assert reply.status == 403
    assert "grants" in reply.message
