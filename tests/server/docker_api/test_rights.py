"""What a team may do over the Docker Engine API is what its grants say, as over REST."""

from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from apps.accounts.models import Grant
from apps.accounts.tokens import issue
from apps.containers.models import Container
from apps.delivery.models import Operation
from tests.server.docker_api.engine import Engine, Reply
from tests.server.people import TEAM, make_user

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]
OURS = {"team": TEAM}
ON_OURS = {"Image": "host", "Labels": OURS, "HostConfig": {"NetworkMode": "ours"}}


async def sign_in(role: str) -> Engine:
    _, token = await sync_to_async(lambda: issue(make_user(role), "test"))()
    return Engine(token=token)


@pytest_asyncio.fixture
async def member(engine: Engine) -> Engine:
    """Of a team with the network `ours` and the container `c`, which runs; there is a container `foreign` too."""
    client = await sign_in("member")
    await engine.ask("POST", "/networks/create", {"Name": "ours", "Labels": OURS})
    for name, wish in (("c", ON_OURS), ("foreign", {"Image": "host"})):
        made = await engine.ask("POST", "/containers/create", {**wish, "Cmd": ["sleep", "9"]}, name=name)
        assert made.status == 201, made.message
        assert (await engine.ask("POST", f"/containers/{name}/start")).status == 204
    return client


def refused(reply: Reply) -> bool:
    return reply.status == 403 and "the grants of your teams do not allow this" in reply.message


async def test_what_runs_is_chosen_by_a_grant_for_commands_only(member: Engine, settings: Any) -> None:
    settings.NETADMIN_ANSWER_TIMEOUT = 0.05
    assert refused(await member.ask("POST", "/containers/create", {**ON_OURS, "Cmd": ["id"]}))
    assert refused(await member.ask("POST", "/containers/create", {**ON_OURS, "Entrypoint": ["id"]}))
    made = await member.ask("POST", "/containers/c/exec", {"Cmd": ["id"], "Detach": True})
    begun = await Operation.objects.acount()
    for detached in (True, False):
        assert refused(await member.ask("POST", f"/exec/{made.content['Id']}/start", {"Detach": detached}))
    assert refused(await member.ask("POST", f"/exec/{made.content['Id']}/resize", h="5", w="5"))
    assert refused(await member.ask("POST", "/containers/c/attach", stream="1", stdin="1"))
    assert refused(await member.ask("POST", "/containers/c/resize", h="5", w="5"))
    assert await Operation.objects.acount() == begun
    assert (await member.ask("POST", "/containers/create", ON_OURS, name="plain")).status == 201
    await Grant.objects.aupdate(commands=True)
    # The host that is to begin it is not there.
    started = await member.ask("POST", f"/exec/{made.content['Id']}/start", {"Detach": True})
    assert started.status != 403
    assert await Operation.objects.filter(action="container.exec").acount() == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/containers/foreign/stop", None),
        ("POST", "/containers/foreign/restart", None),
        ("POST", "/containers/foreign/kill", None),
        ("POST", "/containers/foreign/kill?signal=USR1", None),
        ("POST", "/containers/foreign/rename?name=x", None),
        ("DELETE", "/containers/foreign?force=1", None),
        ("POST", "/networks/ours/connect", {"Container": "foreign"}),
        ("POST", "/networks/bridge/connect", {"Container": "c"}),
        ("POST", "/networks/bridge/disconnect", {"Container": "foreign"}),
        ("POST", "/networks/bridge/disconnect", {"Container": "foreign", "Force": True}),
        ("POST", "/networks/create", {"Name": "x"}),
        (
            "POST",
            "/networks/create",
            {"Name": "x", "Driver": "macvlan", "Labels": OURS, "Options": {"parent": "e"}},
        ),
        ("POST", "/containers/create", {"Image": "host", "Labels": OURS}),
        ("POST", "/containers/create", {**ON_OURS, "HostConfig": {"NetworkMode": "host"}}),
        ("POST", "/containers/create", {**ON_OURS, "NetworkingConfig": {"EndpointsConfig": {"bridge": {}}}}),
    ],
)
async def test_nothing_that_is_not_granted_is_changed(
    member: Engine, method: str, path: str, body: Any
) -> None:
    before = await Operation.objects.acount()
    address, _, query = path.partition("?")
    asked = dict([query.split("=")]) if query else {}
    assert refused(await member.ask(method, address, body, **asked))
    assert await Operation.objects.acount() == before
    assert await Container.objects.acount() == 2
