"""How often signing in may fail, at each way in; and how long what opened it lasts."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.test import Client

from apps.accounts import lasting, throttle
from apps.accounts.models import ApiToken, Failure
from apps.api.views.hosts import JoinRate
from tests.server.people import make_client, make_user

pytestmark = pytest.mark.django_db
RIGHT, WRONG = "correct horse", "battery"


@pytest.fixture(autouse=True)
def accounts() -> None:
    user = make_user("operator")
    user.set_password(RIGHT)
    user.is_staff = True
    user.save()


def sign_in(password: str, name: str = "operator", address: str = "192.0.2.1") -> Any:
    return Client().post(
        "/api/v1/session/",
        {"name": name, "password": password},
        content_type="application/json",
        REMOTE_ADDR=address,
    )


def fail(times: int, **given: str) -> None:
    for _ in range(times):
        assert sign_in(WRONG, **given).status_code == 401


def test_after_five_failures_not_even_the_right_password_opens_from_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(4)
    assert "locked out" not in caplog.text
    fail(1)
    assert "operator from 192.0.2.1 is locked out for 15 minutes" in caplog.text
    refused = sign_in(RIGHT)
    assert (refused.status_code, refused.json()["code"]) == (429, "locked_out")
    assert "try again in 15 minutes" in refused.json()["message"]
    assert sign_in(RIGHT, name="OPERATOR").status_code == 429, "a name in other letters is the same account"
    assert sign_in(RIGHT, address="192.0.2.2").status_code == 200, "its owner elsewhere is let in"


def test_the_numbers_are_those_that_are_told() -> None:
    told = (Path(__file__).parents[3] / "docs" / "security.md").read_text().replace("\n", " ")
    table = [
        int(each) for each in re.findall(r"^\| .*?, (\d+) times \|", told.replace(" | | ", " |\n| "), re.M)
    ]
    assert table == [throttle.OF_PAIR, throttle.OF_ADDRESS, throttle.OF_ACCOUNT, throttle.OF_TOKENS]
    assert f"within {throttle.WINDOW.seconds // 60} minutes" in told
    assert f"every {lasting.EVERY:.0f} seconds each WebSocket" in told
    assert f"may be tried {JoinRate.rate.split('/')[0]} times a minute" in told
    assert "after 12 hours (`NETADMIN_SESSION_HOURS`), a token after 90 days" in told


def test_a_try_counts_before_its_password_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def look(*_: Any, **__: Any) -> None:
        nonlocal looked
        looked += 1
        sign_in(WRONG)  # Another one that comes meanwhile.

    monkeypatch.setattr(ModelBackend, "authenticate", look)
    assert sign_in(WRONG).status_code == 401
    assert looked == throttle.OF_PAIR == 5


def test_the_right_password_forgives_slips() -> None:
    for _ in range(3):
        fail(4)
        assert sign_in(RIGHT).status_code == 200
    assert list(Failure.objects.values_list("account", "address", "count")) == [
        ("operator", "", 12),
        ("", "192.0.2.1", 12),
    ]


def test_who_signs_in_is_not_counted() -> None:
    for _ in range(throttle.OF_PAIR + 1):
        assert sign_in(RIGHT).status_code == 200
    assert not Failure.objects.exists()


def test_many_accounts_tried_from_one_address_lock_the_address() -> None:
    for number in range(throttle.OF_ADDRESS):
        fail(1, name=f"nobody{number}", address=f"2001:db8::{number:x}")
    assert sign_in(RIGHT, address="2001:db8::ffff").status_code == 429, "of IPv6 the whole /64 counts"
    assert sign_in(RIGHT, address="2001:db8:0:1::1").status_code == 200


def test_one_account_tried_from_everywhere_is_locked_late() -> None:
    for number in range(throttle.OF_ACCOUNT):
        fail(1, address=f"198.51.100.{number}")
    assert sign_in(RIGHT, address="203.0.113.1").status_code == 429


def test_it_ends_by_itself() -> None:
    fail(5)
    Failure.objects.update(since=datetime.now(UTC) - throttle.WINDOW - timedelta(seconds=1))
    fail(1)
    assert sign_in(RIGHT).status_code == 200
    assert Failure.objects.filter(count__gt=1).count() == 0, "what is over is forgotten"


def test_the_admin_has_the_same_limit_and_says_the_same() -> None:
    client = Client(REMOTE_ADDR="192.0.2.1")
    fields = {"username": "operator", "password": WRONG}
    for _ in range(5):
        assert client.post("/admin/login/", fields).status_code == 200
    page = client.post("/admin/login/", {**fields, "password": RIGHT})
    assert page.status_code == 200 and "Too many sign-ins failed" in page.content.decode()
    assert sign_in(RIGHT).status_code == 429
    assert (
        client.post("/admin/login/", {**fields, "password": RIGHT}, REMOTE_ADDR="192.0.2.9").status_code
        == 302
    )


def test_an_administrator_sees_who_is_locked_out_and_lets_them_try_again() -> None:
    fail(5)
    admin = make_client("admin")
    [row] = admin.get("/api/v1/failures/?account=operator&address=192.0.2.1").json()["results"]
    assert (row["count"], row["locked"]) == (5, True)
    assert admin.delete(f"/api/v1/failures/{row['id']}/").status_code == 204
    assert sign_in(RIGHT).status_code == 200
    assert admin.delete(f"/api/v1/failures/{row['id']}/").json()["code"] == "failure_not_found"


def test_unknown_tokens_are_counted_and_good_ones_never_held_up() -> None:
    good = make_client("operator")
    for _ in range(throttle.OF_TOKENS):
        answer = Client().get("/api/v1/me/", headers={"authorization": f"Bearer nad_{'0' * 16}.{'x' * 43}"})
        assert answer.status_code == 401
    answer = Client().get("/api/v1/me/", headers={"authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (429, "locked_out")
    assert good.get("/api/v1/me/").status_code == 200
    assert Failure.objects.get(account=throttle.TOKENS).count == throttle.OF_TOKENS


def test_a_token_ends_when_somebody_said_so_or_after_ninety_days() -> None:
    client, now = make_client("operator"), datetime.now(UTC)
    ends: dict[str, Any] = {
        "usual": {},
        "never": {"expires": None},
        "soon": {"expires": "2099-01-01T00:00:00Z"},
    }
    for name, end in ends.items():
        assert client.post("/api/v1/tokens/", {"name": name, **end}, format="json").status_code == 201
    kept = dict(ApiToken.objects.values_list("name", "expires"))
    usual = kept["usual"]
    assert usual is not None and timedelta(days=89) < usual - now < timedelta(days=91)
    assert (kept["never"], kept["soon"]) == (None, datetime(2099, 1, 1, tzinfo=UTC))


def test_a_token_made_with_one_that_ends_soon_ends_no_later() -> None:
    client = make_client("operator")
    soon = datetime.now(UTC) + timedelta(hours=1)
    ApiToken.objects.update(expires=soon)
    assert client.post("/api/v1/tokens/", {"name": "next"}, format="json").status_code == 201
    assert ApiToken.objects.get(name="next").expires == soon


def test_a_session_ends_after_its_hours() -> None:
    client = Client()
    client.force_login(make_user("operator"))
    assert client.get("/api/v1/me/").status_code == 200
    session = client.session
    assert session.get_expiry_age() == 12 * 3600
    session.set_expiry(-1)
    session.save()
    assert client.get("/api/v1/me/").status_code == 401


def test_signing_in_needs_a_csrf_token_gives_a_new_session_and_signing_out_ends_it() -> None:
    client = Client(enforce_csrf_checks=True)
    planted = client.session  # By somebody else, who knows its id.
    planted["planted"] = True
    planted.save()
    given = {"name": "operator", "password": RIGHT}
    refused = client.post("/api/v1/session/", given, content_type="application/json")
    assert (refused.status_code, "CSRF" in refused.json()["message"]) == (403, True)
    client.get("/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    signed_in = client.post("/api/v1/session/", given, content_type="application/json", headers=headers)
    assert signed_in.status_code == 200
    own = client.cookies["sessionid"].value
    assert own != planted.session_key
    opened = {}
    for key in (own, planted.session_key):
        other = Client()
        other.cookies["sessionid"] = key
        opened[key] = other.get("/api/v1/me/").status_code
    assert opened == {own: 200, planted.session_key: 401}
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.delete("/api/v1/session/", headers=headers).status_code == 204
    other.cookies["sessionid"] = own
    assert other.get("/api/v1/me/").status_code == 401


def test_another_password_ends_all_sessions() -> None:
    client, user = Client(), make_user("operator")
    client.force_login(user)
    assert client.get("/api/v1/me/").status_code == 200
    user.set_password("another horse")
    user.save()
    assert client.get("/api/v1/me/").status_code == 401


@pytest.mark.parametrize("password", ["short", "password123", "31415926535", "operator1"])
def test_a_weak_password_is_refused(password: str) -> None:
    client = Client()
    admin = make_user("admin")
    admin.is_staff = True
    admin.save()
    client.force_login(admin)
    user = make_user("operator")
    client.post(
        f"/admin/auth/user/{user.pk}/password/",
        {"password1": password, "password2": password, "usable_password": "true"},
    )
    user.refresh_from_db()
    assert user.check_password(RIGHT)
