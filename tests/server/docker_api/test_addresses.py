"""How the engine is addressed, who may, and what a request may look like."""

import pytest
from asgiref.sync import sync_to_async

from apps.accounts.tokens import issue
from tests.server.docker_api.engine import Engine, Reply
from tests.server.hosts import enrol_host
from tests.server.people import make_user

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]
TCP = ("127.0.0.1", 8000)


@sync_to_async
def token(role: str) -> str:
    return issue(make_user(role), "docker")[1]


async def make(engine: Engine, name: str = "lab") -> Reply:
    return await engine.ask("POST", "/networks/create", {"Name": name})


async def test_a_version_may_be_given_or_left_out(engine: Engine) -> None:
    for prefix in ("", "/v1.41", "/v1.51", "/v1.56"):
        reply = await Engine(prefix=prefix).ask("GET", "/version")
        assert (reply.status, reply.content["ApiVersion"], reply.content["MinAPIVersion"]) == (
            200,
            "1.56",
            "1.41",
        )
    for prefix, message in [
        (
            "/v1.40",
            "client version 1.40 is too old. Minimum supported API version is 1.41, please upgrade your client to a "
            "newer version",
        ),
        ("/v1.57", "client version 1.57 is too new. Maximum supported API version is 1.56"),
    ]:
        refused = await Engine(prefix=prefix).ask("GET", "/version")
        assert (refused.status, refused.message) == (400, message)


async def test_a_ping_tells_what_is_spoken(engine: Engine) -> None:
    for method in ("GET", "HEAD"):
        reply = await Engine(prefix="").ask(method, "/_ping")
        assert (reply.status, reply.headers["api-version"], reply.headers["ostype"]) == (200, "1.56", "linux")
        assert (reply.headers["docker-experimental"], reply.headers["swarm"]) == ("false", "inactive")


async def test_slashes_at_the_end_and_escaped_names_work(engine: Engine) -> None:
    assert (await engine.ask("GET", "/networks/")).status == 200
    assert (await engine.ask("GET", "/networks/%62ridge")).content["Name"] == "bridge"
    for term in ("a b", "a/b", "a%2Fb", "ä"):
        missing = await engine.ask("GET", f"/networks/{term}")
        assert missing.status == 404, term
    assert (await engine.ask("GET", "/nonsense")).message == "page not found"


async def test_bodies_in_pieces_and_wrong_ones(engine: Engine) -> None:
    raw = b'{"Name": "pieces"}'
    assert (await engine.ask("POST", "/networks/create", raw=raw, chunks=5)).status == 201
    for body, kind, message in [
        (b"", "", "invalid name: name is empty"),
        (b"{", "application/json", None),
        (b'{"Name": "x"} x', "application/json", "unexpected content after JSON"),
        (b"[]", "application/json", None),
        (b'{"Name": "a\\u0000"}', "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b"{}", "", "malformed Content-Type header (): mime: no media type"),
        (b"{}", "text/plain", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        (b'{"Name": ["x"]}', "application/json", "invalid JSON: cannot use this value for Name"),
    ]:
        refused = await engine.ask("POST", "/networks/create", raw=body, content_type=kind)
        assert refused.status == 400, body[:20]
        assert message in (None, refused.message)


async def test_over_tcp_nothing_is_told_or_done_without_a_token(engine: Engine) -> None:
    there = {"state": {}, "server": TCP, "prefix": "/hosts/node1/v1.44"}
    for path in ("/_ping", "/version", "/networks", "/events", "/info"):
        assert (await Engine(**there).ask("GET", path)).status == 401
    refused = await make(Engine(**there))
    assert (refused.status, refused.message[:13]) == (401, "unauthorized:")
    assert (
        await make(Engine(**there, token="nad_0123456789abcdef.nonsense-nonsense-nonsense"))
    ).status == 401
    reader = Engine(**there, token=await token("read-only"))
    assert (await reader.ask("GET", "/networks")).status == 200
    assert (await make(reader)).status == 403
    assert (await make(Engine(**there, token=await token("operator")))).status == 201


async def test_a_token_that_is_sent_over_the_socket_counts(engine: Engine) -> None:
    assert (await make(Engine(token=await token("read-only")))).status == 403
    assert (await make(Engine(token=await token("operator")))).status == 201


async def test_each_host_is_an_engine_of_its_own(engine: Engine) -> None:
    await sync_to_async(enrol_host)("node2")
    mine = {"state": {}, "server": TCP, "token": await token("operator")}
    assert (await make(Engine(**mine, prefix="/hosts/node2"), "there")).status == 201
    for name, found in (("node1", 404), ("node2", 200)):
        engine = Engine(**mine, prefix=f"/hosts/{name}")
        assert (await engine.ask("GET", "/networks/there")).status == found
        assert (await engine.ask("GET", "/info")).content["Name"] == name
    unknown = await Engine(**mine, prefix="/hosts/node9").ask("GET", "/networks")
    assert (unknown.status, unknown.message) == (404, "There is no host named 'node9'.")


async def test_the_dashboard_keeps_its_pages_of_hosts(engine: Engine) -> None:
    page = await Engine(state={}, server=TCP, prefix="").ask("GET", "/hosts/node1")
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
