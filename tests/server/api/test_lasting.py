"""An open socket ends when the token, session, account, role or grant ends with which it was opened."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session

from apps.accounts import lasting
from apps.accounts.models import ApiToken, Failure, Grant
from apps.containers.models import Container
from tests.server.api.test_streams import bearer, connection, running_container, session, talking
from tests.server.people import TEAM
from tests.server.worker import answering_worker

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("answering"),
    pytest.mark.timeout(90),
]
PATIENCE = 30
OVER = {"type": "websocket.close", "code": lasting.ENDED}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "EVERY", 0.05)


def take_role() -> None:
    Group.objects.get(name="operators").user_set.clear()


ENDS: dict[str, tuple[Callable[..., Any], Callable[[], Any]]] = {
    "the token is taken back": (bearer, lambda: ApiToken.objects.all().delete()),
    "the token has expired": (bearer, lambda: ApiToken.objects.update(expires="2020-01-01T00:00:00Z")),
    "the account is closed": (bearer, lambda: User.objects.update(is_active=False)),
    "the role is another": (bearer, take_role),
    "the session is over": (session, lambda: Session.objects.all().delete()),
    "the account of a session is closed": (session, lambda: User.objects.update(is_active=False)),
}


@pytest.mark.parametrize("what", ENDS)
async def test_a_socket_ends_when(what: str) -> None:
    sign_in, end = ENDS[what]
    socket = connection("/ws/events/", await sign_in("operator"))
    assert (await socket.connect(PATIENCE))[0]
    # Looked at several times by now.
    assert await socket.receive_nothing(0.5)
    await sync_to_async(end)()
    assert await socket.receive_output(PATIENCE) == OVER
    await socket.wait(PATIENCE)
    assert not await Failure.objects.aexists(), "who is looked at again tries nothing"


async def test_a_grant_more_ends_nothing_and_one_less_does() -> None:
    socket = connection("/ws/events/", await bearer("read-only"))

    def join_team(label: str) -> Grant:
        team = Group.objects.get_or_create(name="team")[0]
        User.objects.get(username="read-only").groups.add(team)
        return Grant.objects.create(team=team, label=label)

    await sync_to_async(join_team)("a=1")
    assert (await socket.connect(PATIENCE))[0]
    second = await sync_to_async(join_team)("b=1")
    assert await socket.receive_nothing(0.5)
    await sync_to_async(second.delete)()
    assert await socket.receive_nothing(0.5)
    await sync_to_async(Grant.objects.all().delete)()
    assert await socket.receive_output(PATIENCE) == OVER


@pytest.mark.parametrize(
    ("role", "end"), [("operator", take_role), ("member", lambda: Container.objects.update(labels={}))]
)
async def test_a_terminal_hangs_up_when_its_right_has_ended(role: str, end: Callable[[], Any]) -> None:
    """A member's is a right to its container."""
    heard: list[bytes] = []
    host = await running_container()
    token = await bearer(role)
    await Container.objects.aupdate(labels={"team": TEAM})
    await Grant.objects.aupdate(commands=True)
    with answering_worker(host, talking(host, heard)):
        socket = connection("/ws/containers/c1/exec/?command=sh", token)
        assert (await socket.connect(PATIENCE))[0]
        assert await socket.receive_from(PATIENCE) == b"\x01hello"
        await sync_to_async(end)()
        assert await socket.receive_output(PATIENCE) == OVER
        await socket.wait(PATIENCE)
    for _ in range(PATIENCE * 10):
        if heard:
            break
        await asyncio.sleep(0.1)
    assert heard == [b"\x04"]
