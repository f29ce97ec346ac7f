import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from rest_framework.test import APIClient

from apps.accounts.local import is_local
from apps.accounts.models import ApiToken
from apps.accounts.tokens import BadToken, issue, recognise
from netadmin.asgi import application
from tests.server.people import make_user

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


def bearer(text: str) -> Any:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.mark.parametrize("role", ["admin", "operator", "member", "read-only"])
def test_everybody_learns_their_name_and_role(role: str) -> None:
    _, text = issue(make_user(role), "laptop")
    told = {"name": role, "role": "read-only" if role == "member" else role, "granted": role != "read-only"}
    assert bearer(text).get(ME).json() == told


def test_nobody_is_told_to_sign_in() -> None:
    response = APIClient().get(ME)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json() == {
        "code": "not_signed_in",
        "message": "Sign in first: send a token, or log in to the web page.",
        "field": None,
    }


def test_a_token_is_shown_once_and_its_secret_not_kept(operator: Any) -> None:
    response = operator.post("/api/v1/tokens/", {"name": "laptop"}, format="json")
    assert response.status_code == 201
    text = response.json()["token"]
    assert bearer(text).get(ME).json()["name"] == "operator"
    kept = ApiToken.objects.filter(name="laptop").values().get()
    assert text.split(".")[1] not in str(kept)
    assert "token" not in operator.get("/api/v1/tokens/?name=laptop").json()["results"][0]


def test_a_token_taken_back_opens_nothing(operator: Any) -> None:
    made = operator.post("/api/v1/tokens/", {"name": "laptop"}, format="json").json()
    assert operator.delete(f"/api/v1/tokens/{made['id']}/").status_code == 204
    response = bearer(made["token"]).get(ME)
    assert (response.status_code, response.json()["code"]) == (401, "bad_token")


def test_another_persons_token_cannot_be_seen_or_taken_back(operator: Any) -> None:
    token, _ = issue(make_user("admin"), "secret")
    assert operator.get("/api/v1/tokens/?name=secret").json()["count"] == 0
    assert operator.delete(f"/api/v1/tokens/{token.pk}/").status_code == 404


@pytest.mark.parametrize(
    "text", ["", "nad_", "nad_0123456789abcdef.short", "nad_0123456789abcdef." + "x" * 43]
)
def test_what_is_no_token_of_ours_opens_nothing(text: str) -> None:
    assert bearer(text).get(ME).status_code == 401


def test_a_wrong_secret_an_expired_token_and_a_closed_account_open_nothing() -> None:
    user = make_user("operator")
    token, text = issue(user, "t")
    other = issue(user, "other")[1]
    with pytest.raises(BadToken, match="not known"):
        recognise(f"{text.split('.')[0]}.{other.split('.')[1]}")
    # Good till then: what was good before is asked of the record all the same.
    assert recognise(text).pk == token.pk
    ApiToken.objects.filter(pk=token.pk).update(expires=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(BadToken, match="expired"):
        recognise(text)
    ApiToken.objects.filter(pk=token.pk).update(expires=None)
    user.is_active = False
    user.save()
    with pytest.raises(BadToken, match="closed"):
        recognise(text)


def test_the_last_use_is_written_at_most_once_a_minute() -> None:
    token, text = issue(make_user("operator"), "t")
    recognise(text)
    first = ApiToken.objects.get(pk=token.pk).last_used
    recognise(text)
    assert ApiToken.objects.get(pk=token.pk).last_used == first
    ApiToken.objects.filter(pk=token.pk).update(last_used=datetime.now(UTC) - timedelta(seconds=61))
    recognise(text)
    last = ApiToken.objects.get(pk=token.pk).last_used
    assert first is not None and last is not None and last > first


def test_a_token_cannot_make_one_that_outlives_it() -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    client = bearer(issue(make_user("operator"), "t", expires=soon)[1])
    refused = client.post("/api/v1/tokens/", {"name": "eternal", "expires": None}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "outlives")
    earlier = (soon - timedelta(minutes=5)).isoformat()
    assert (
        client.post("/api/v1/tokens/", {"name": "t2", "expires": earlier}, format="json").status_code == 201
    )


def test_a_session_may_read_and_needs_a_csrf_token_to_change() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user("operator"))
    assert client.get(ME).json()["role"] == "operator"
    assert client.post("/api/v1/tokens/", {"name": "t"}, format="json").status_code == 403


LOCAL = ("/run/netadmin/web.sock", None)


@pytest.mark.parametrize(
    ("server", "headers", "local"),
    [
        (LOCAL, [], True),
        (("127.0.0.1", 8000), [], False),
        (("::1", 8000), [], False),
        (None, [], False),
        (("", None), [], False),
        (LOCAL, [(b"x-forwarded-for", b"10.0.0.1")], False),
        (LOCAL, [(b"Forwarded", b"for=10.0.0.1")], False),
    ],
)
def test_only_what_comes_straight_over_the_unix_socket_is_local(
    server: object, headers: list[tuple[bytes, bytes]], local: bool
) -> None:
    assert is_local({"server": server, "client": None, "headers": headers}) is local


async def role_over(server: tuple[str, int | None], *headers: tuple[bytes, bytes]) -> tuple[int, Any]:
    """Status and role that the whole application gives to a request that came to `server`."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": ME,
        "raw_path": ME.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "server": server,
        "client": None,
    }
    browser: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await browser.send_input({"type": "http.request", "body": b""})
    begun = await browser.receive_output(5)
    body = await browser.receive_output(5)
    return begun["status"], json.loads(body["body"]).get("role")


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_over_the_unix_socket_root_is_the_administrator() -> None:
    await sync_to_async(make_user)("admin")
    assert await role_over(("127.0.0.1", 80)) == (401, None)
    assert await role_over(LOCAL) == (200, "admin")
    _, text = await sync_to_async(lambda: issue(make_user("read-only"), "t"))()
    assert await role_over(LOCAL, (b"authorization", f"Bearer {text}".encode())) == (200, "read-only")
