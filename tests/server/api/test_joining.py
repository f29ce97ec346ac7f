"""Hosts come and go over REST: invitation, joining with each of its refusals, renewal, revocation, removal."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.core.cache import cache

from apps.delivery import tasks
from apps.delivery.models import Operation
from apps.hosts import broker
from apps.hosts.models import Host, Invitation
from apps.networks.models import Network
from tests.server.people import make_client
from workers.contract.envelope import Refused, seal
from workers.contract.joining import Configuration, Request, Token, open_answer, prove, read_token
from workers.contract.reports import Report

pytestmark = pytest.mark.django_db(transaction=True)
NONCE = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def reachable_broker(monkeypatch: pytest.MonkeyPatch, private_redis: None) -> dict[str, str]:
    """The logins that were granted; what the broker itself makes of them is tried with a real one elsewhere."""
    granted: dict[str, str] = {}

    def grant(host: Host) -> broker.Access:
        granted[host.name] = host.key
        return broker.Access(url=f"rediss://host.{host.name}:secret@192.168.5.11:6390/0", ca="PEM")

    monkeypatch.setattr(broker, "require_outside", lambda: None)
    monkeypatch.setattr(broker, "grant", grant)
    monkeypatch.setattr(broker, "revoke", lambda host: granted.pop(host.name, None))
    cache.clear()
    return granted


@pytest.fixture
def admin(node1: Host) -> Any:
    return make_client("admin")


def add(admin: Any, name: str = "node2") -> Token:
    answer = admin.post("/api/v1/hosts/", {"name": name, "advertise": "192.168.5.12"}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["state"] == "invited"
    command = answer.json()["join_command"].split()
    assert command[:4] == ["netadmin", "worker", "join", "http://testserver"]
    return read_token(command[-1])


def join(token: Token, **changes: Any) -> Any:
    at = changes.get("at", time.time())
    request = Request(key=token.key, nonce=NONCE, at=at, proof=prove(token.verifier, NONCE, at), version="1")
    headers = {name: value for name, value in changes.items() if name.startswith("HTTP_")}
    body = {**msgspec.to_builtins(request), **changes}
    body = {name: value for name, value in body.items() if name not in headers}
    return make_client("nobody").post("/api/v1/join/", body, format="json", **headers)


def report(name: str, key: str, epoch: str) -> None:
    tasks.report(
        seal(Report(host=name, epoch=epoch, acked=0, sequence=1), host=name, key=key, direction="to-server")
    )


def test_a_machine_gets_what_it_needs_and_nobody_else_can_read_it(admin: Any) -> None:
    token = add(admin)
    answer = join(token)
    assert answer.status_code == 200
    found = open_answer(answer.json()["sealed"], Configuration, token.verifier, NONCE)
    host = Host.objects.get(name="node2")
    assert (found.host, found.key, found.epoch, found.advertise) == (
        "node2",
        host.key,
        host.epoch,
        "192.168.5.12",
    )
    assert found.redis_ca == "PEM"
    assert host.key.encode() not in base64.b64decode(answer.json()["sealed"])
    with pytest.raises(Refused):
        open_answer(answer.json()["sealed"], Configuration, Token(key=token.key, secret="x").verifier, NONCE)
    assert Network.objects.filter(host=host, predefined=True).count() == 3
    report("node2", found.key, found.epoch)
    assert admin.get("/api/v1/hosts/node2/").json()["state"] == "online"


def test_a_token_is_used_once(admin: Any) -> None:
    token = add(admin)
    assert join(token).status_code == 200
    key = Host.objects.get(name="node2").key
    again = join(token)
    assert (again.status_code, again.json()["code"]) == (401, "token_unknown")
    assert Host.objects.get(name="node2").key == key


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"key": "000000000000"}, 401, "token_unknown"),
        ({"proof": "0" * 64}, 401, "token_unknown"),
        ({"nonce": "f" * 32}, 401, "token_unknown"),
        ({"at": 5.0}, 400, "clock_skew"),
        ({"proof": "short"}, 400, "bad_input"),
        ({"host": "node1"}, 400, "unknown_field"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_token_stays_good(
    admin: Any, changes: dict[str, Any], status: int, code: str
) -> None:
    token = add(admin)
    refused = join(token, **changes)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert join(token).status_code == 200


def test_joining_is_tried_thirty_times_a_minute_from_one_address(admin: Any) -> None:
    token = add(admin)
    for number in range(30):
        # A header is made up anew for each try.
        assert join(token, proof="0" * 64, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}").status_code == 401
    assert join(token).status_code == 429
    assert Invitation.objects.exists()


def test_an_expired_token_is_refused(admin: Any) -> None:
    before = datetime.now(UTC)
    token = add(admin)
    assert before < Invitation.objects.get().expires - timedelta(hours=1) < datetime.now(UTC)
    Invitation.objects.update(expires=datetime.now(UTC) - timedelta(seconds=1))
    assert join(token).json()["code"] == "token_expired"


def test_nothing_secret_is_kept_told_or_logged(admin: Any, caplog: pytest.LogCaptureFixture) -> None:
    token = add(admin)
    join(token, proof="0" * 64)
    join(token)
    key = Host.objects.get(name="node2").key
    shown = (
        admin.get("/api/v1/hosts/?limit=100").content.decode()
        + admin.get("/api/v1/operations/").content.decode()
    )
    kept = str(list(Operation.objects.values())) + str(list(Invitation.objects.values())) + caplog.text
    for secret in (token.secret, key):
        assert secret not in shown + kept
    assert "refused a machine" in caplog.text


def test_a_renewed_host_keeps_its_key_till_the_new_one_is_fetched(
    admin: Any, reachable_broker: dict[str, str]
) -> None:
    join(add(admin))
    before = Host.objects.get(name="node2")
    token = read_token(
        admin.post("/api/v1/hosts/node2/renew/", {}, format="json").json()["join_command"].split()[-1]
    )
    assert Host.objects.get(name="node2").key == before.key
    assert join(token).status_code == 200
    after = Host.objects.get(name="node2")
    assert after.key != before.key and after.epoch > before.epoch
    assert reachable_broker["node2"] == after.key
    report("node2", before.key, after.epoch)
    assert Host.objects.get(name="node2").last_seen is None


def test_a_revoked_host_is_not_heard_and_its_pending_changes_fail(
    admin: Any, reachable_broker: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    join(add(admin))
    host = Host.objects.get(name="node2")
    pending = admin.post(
        "/api/v1/containers/",
        {"name": "c", "host": "node2"},
        format="json",
        headers={"Prefer": "respond-async"},
    )
    assert pending.status_code == 202
    assert admin.post("/api/v1/hosts/node2/revoke/", {}, format="json").json()["state"] == "revoked"
    assert reachable_broker == {}
    report("node2", host.key, host.epoch)
    assert Host.objects.get(name="node2").last_seen is None
    assert "unknown or revoked" in caplog.text
    assert Operation.objects.get(pk=pending.json()["operation"]["id"]).outcome == "failed"


def test_a_report_of_another_host_or_an_altered_one_is_refused(
    admin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    join(add(admin))
    host = Host.objects.get(name="node2")
    good = seal(
        Report(host="node2", epoch=host.epoch, acked=0, sequence=1),
        host="node2",
        key=host.key,
        direction="to-server",
    )
    for wrong in (
        {**good, "host": "node1"},
        {**good, "body": good["body"].replace('"acked":0', '"acked":9')},
        {**good, "signature": "0" * 64},
        {"host": "node2"},
        {**good, "host": "nobody"},
    ):
        tasks.report(wrong)
    assert caplog.text.count("refused a report") == 5
    assert Host.objects.get(name="node2").last_seen is None
    tasks.report(good)
    assert Host.objects.get(name="node2").last_seen is not None


def test_a_host_is_removed_when_nothing_is_on_it_or_by_force(admin: Any) -> None:
    join(add(admin))
    admin.post(
        "/api/v1/containers/",
        {"name": "c", "host": "node2"},
        format="json",
        headers={"Prefer": "respond-async"},
    )
    refused = admin.delete("/api/v1/hosts/node2/")
    assert (refused.status_code, refused.json()["code"]) == (409, "host_in_use")
    assert "container c" in refused.json()["message"]
    assert admin.delete("/api/v1/hosts/node2/?force=1").status_code == 204
    assert not Host.objects.filter(name="node2").exists()
    assert Operation.objects.filter(action="host.remove", subject_name="node2").exists()


@pytest.mark.parametrize("action", ["renew", "revoke"])
def test_the_own_host_stays(admin: Any, action: str) -> None:
    refused = admin.post(f"/api/v1/hosts/node1/{action}/", {}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_host")
    assert admin.delete("/api/v1/hosts/node1/").json()["code"] == "own_host"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "no_underscores"},
        {"name": "node1"},
        {"name": "n", "advertise": "127.0.0.1"},
        {"advertise": "x"},
    ],
)
def test_a_host_that_cannot_be_is_refused(admin: Any, body: dict[str, str]) -> None:
    assert admin.post("/api/v1/hosts/", body, format="json").status_code in (400, 409)
    assert Host.objects.count() == 1
