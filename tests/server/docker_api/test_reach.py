"""Who may call what of the engine, for every route that there is: a new one is asked by every role."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.accounts.tokens import issue
from apps.docker_api.routes import ROUTES, Route
from tests.server.docker_api.engine import Engine
from tests.server.people import ROLES, make_user

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]
TCP = ("127.0.0.1", 8000)
WITHOUT_CHANGE = {"POST /auth", "POST /containers/{}/wait"}
"""Not GET, and changing nothing."""
OPERATORS_ONLY = {
    "POST /networks/prune",
    "POST /images/load",
    "POST /images/prune",
    "POST /images/{}/tag",
    "DELETE /images/{}",
}
"""They concern what is everybody's; the change itself refuses a member."""


def line(route: Route) -> str:
    pattern = route.pattern.pattern.removesuffix(r"\Z").replace("\\", "")
    return f"{route.method} {pattern.replace('(?P<id>.+)', '{}').replace('(?P<name>.+)', '{}')}"


async def test_what_changes_something_is_marked_so() -> None:
    for route in ROUTES:
        assert route.changes is (route.method != "GET" and line(route) not in WITHOUT_CHANGE), line(route)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=line)
async def test_a_role_may_call_what_it_is_for(engine: Engine, route: Route, role: str, settings: Any) -> None:
    # No host answers here, and it is not what this asks.
    settings.NETADMIN_ANSWER_TIMEOUT = 0.05
    method, path = line(route).format("nothing").split()
    token = None
    if role != "nobody":
        _, token = await sync_to_async(lambda: issue(make_user(role), "test"))()
    body = {} if method == "POST" else None
    # An end in the past: events are followed for no time.
    reply = await Engine(token=token, server=TCP).ask(method, path, body, until="1")
    if role == "nobody":
        assert reply.status == 401
    elif role == "read-only" and route.changes:
        assert reply.status == 403
        assert "Only operators and administrators" in reply.message
    elif role == "member" and line(route) in OPERATORS_ONLY:
        assert reply.status == 403
        assert "grants" in reply.message
    else:
        # What there is not is looked for after the question who asks.
        assert reply.status not in (401, 403, 500), reply.message
