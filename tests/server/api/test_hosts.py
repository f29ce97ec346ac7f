"""Hosts over REST: how they are shown, drained, moved; how often somebody may try to join; logins that are left."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.core.cache import cache

from apps.common.errors import Unavailable
from apps.delivery import tasks
from apps.delivery.changes import Change, record
from apps.delivery.joining import LOGIN_KEPT
from apps.delivery.models import Operation
from apps.hosts import broker
from apps.hosts.models import Host
from netadmin.environment import Environment
from tests.server.api.test_containers import make, post
from tests.server.hosts import enrol_host
from tests.server.people import make_client
from workers import __version__
from workers.contract.broker import name_login

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("node1", "answering")]


@pytest.fixture
def admin() -> Any:
    return make_client("admin")


@pytest.fixture
def node2() -> Host:
    return enrol_host("node2")


def shown(client: Any, name: str = "node2") -> Any:
    return client.get(f"/api/v1/hosts/{name}/").json()


def refuse(client: Any, method: str, path: str, **fields: Any) -> tuple[int, str]:
    response = getattr(client, method)(f"/api/v1/{path}", fields, format="json")
    return response.status_code, response.json()["code"]


def test_a_host_is_shown_with_how_it_is(operator: Any, node2: Host) -> None:
    Host.objects.filter(pk=node2.pk).update(version=__version__, underlays={"192.168.5.12": 1450}, revision=9)
    found = shown(operator)
    assert (found["state"], found["outdated"], found["drained"]) == ("online", False, False)
    assert found["underlays"] == {"192.168.5.12": 1450}
    assert found["lag"] == 9 - found["acked_revision"] > 0
    assert not {"key", "epoch", "sequence"} & found.keys()
    before = datetime.now(UTC) - timedelta(seconds=26)
    Host.objects.filter(pk=node2.pk).update(version="0.0.1", last_seen=before)
    found = shown(operator)
    assert (found["state"], found["outdated"]) == ("offline", True)
    Host.objects.filter(pk=node2.pk).update(revoked=True)
    assert shown(operator)["state"] == "revoked"


def test_a_drained_host_keeps_what_it_has_and_gets_nothing_new(operator: Any, node2: Host) -> None:
    post(operator, "networks/", 201, name="lab", host="node2")
    make(operator, "running", host="node2", start=True)
    make(operator, "created", host="node2")
    assert post(operator, "hosts/node2/drain/")["drained"] is True
    assert refuse(operator, "post", "containers/", name="c", host="node2") == (409, "host_drained")
    assert refuse(operator, "post", "containers/created/start/") == (409, "host_drained")
    refused = refuse(operator, "post", "networks/lab/connect/", container="running")
    assert refused == (409, "host_drained")
    assert post(operator, "containers/running/start/")["state"] == "running"
    assert post(operator, "containers/running/restart/")["state"] == "running"
    post(operator, "networks/bridge/disconnect/?host=node2", 204, container="running")
    assert post(operator, "containers/running/stop/")["state"] == "exited"
    assert operator.delete("/api/v1/containers/running/").status_code == 204
    assert post(operator, "hosts/node2/undrain/")["drained"] is False
    assert post(operator, "containers/created/start/")["state"] == "running"
    told = Operation.objects.filter(action__startswith="host.").order_by("at")
    assert [(row.action, row.actor_name, row.outcome) for row in told] == [
        ("host.drain", "operator", "done"),
        ("host.undrain", "operator", "done"),
    ]


def test_a_host_gets_another_advertise_address(admin: Any, node2: Host) -> None:
    moved = admin.patch("/api/v1/hosts/node2/", {"advertise": "2001:DB8:0::12"}, format="json")
    assert (moved.status_code, moved.json()["advertise"]) == (200, "2001:db8::12")
    assert Operation.objects.get(action="host.move").detail == {"advertise": "2001:DB8:0::12"}
    cleared = admin.patch("/api/v1/hosts/node2/", {"advertise": None}, format="json")
    assert cleared.json()["advertise"] is None


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("127.0.0.1", (400, "bad_address")),
        ("::1", (400, "bad_address")),
        ("0.0.0.0", (400, "bad_address")),
        ("224.0.0.9", (400, "bad_address")),
        ("192.168.5.0/24", (400, "bad_address")),
        ("node2.example", (400, "bad_address")),
        ("192.168.5.11", (409, "advertise_taken")),
    ],
)
def test_an_address_at_which_nobody_is_found_is_refused(
    admin: Any, node1: Host, node2: Host, address: str, refusal: tuple[int, str]
) -> None:
    Host.objects.filter(pk=node1.pk).update(advertise="192.168.5.11")
    assert refuse(admin, "patch", "hosts/node2/", advertise=address) == refusal
    assert shown(admin)["advertise"] is None


def test_a_host_may_be_given_the_address_that_it_has(admin: Any, node2: Host) -> None:
    for _ in range(2):
        assert (
            admin.patch("/api/v1/hosts/node2/", {"advertise": "192.168.5.12"}, format="json").status_code
            == 200
        )


def test_where_hosts_cannot_reach_the_broker_none_is_added(admin: Any) -> None:
    refused = refuse(admin, "post", "hosts/", name="node3", advertise="192.168.5.13")
    assert refused == (409, "no_broker_for_hosts")
    assert not Host.objects.filter(name="node3").exists()


def test_who_tries_too_often_waits_whatever_headers_say() -> None:
    cache.clear()
    client = make_client("nobody")
    body = {"key": "0" * 12, "nonce": "0" * 32, "at": 0.0, "proof": "0" * 64}
    codes = [
        client.post(
            "/api/v1/join/", body, format="json", headers={"X-Forwarded-For": f"192.0.2.{n}"}
        ).status_code
        for n in range(31)
    ]
    assert codes == [401] * 30 + [429]
    elsewhere = client.post("/api/v1/join/", body, format="json", REMOTE_ADDR="192.0.2.7")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (401, "token_unknown")
    cache.clear()


def test_a_removed_host_loses_its_login_when_it_has_had_time_to_hear_of_it(admin: Any) -> None:
    """With the real broker; the login is made as `grant` makes it."""
    client: Any = redis.Redis.from_url(Environment.read().channel_url)
    removed, revoked, staying = (enrol_host(name) for name in ("node2", "node3", "node4"))
    for host in (removed, revoked, staying):
        client.execute_command("ACL", "SETUSER", name_login(host.name), "on", ">x")
    client.execute_command("ACL", "SETUSER", "host.foreign", "on", ">x")
    Host.objects.filter(pk=revoked.pk).update(revoked=True)
    assert admin.delete("/api/v1/hosts/node2/").status_code == 204
    tasks.forget_departed()
    assert {"host.node2", "host.node4"} <= set(map(_text, client.acl_users()))
    assert "host.node3" not in map(_text, client.acl_users())
    assert client.llen("host.node2") > 0
    Operation.objects.filter(action="host.remove").update(at=datetime.now(UTC) - LOGIN_KEPT)
    tasks.forget_departed()
    left = set(map(_text, client.acl_users()))
    assert left == {"default", "host.node4", "host.foreign"}
    assert client.llen("host.node2") == 0
    client.execute_command("ACL", "DELUSER", "host.node4", "host.foreign")


def test_a_name_that_is_used_again_keeps_its_new_login(node2: Host) -> None:
    client: Any = redis.Redis.from_url(Environment.read().channel_url)
    client.execute_command("ACL", "SETUSER", "host.node2", "on", ">x")
    record(Change(actor=None, action="host.remove"), node2, None)
    Operation.objects.update(at=datetime.now(UTC) - 2 * LOGIN_KEPT)
    tasks.forget_departed()
    assert "host.node2" in map(_text, client.acl_users())
    client.execute_command("ACL", "DELUSER", "host.node2")


def test_who_waits_for_a_host_that_is_revoked_is_told_at_once(
    admin: Any, node2: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "revoke", lambda host: None)
    operation = Operation.objects.create(
        action="container.start",
        subject="container",
        subject_id="x",
        subject_name="x",
        host=node2,
        revision=99,
    )
    post(admin, "hosts/node2/revoke/")
    client: Any = redis.Redis.from_url(Environment.read().channel_url)
    told = client.lpop(f"netadmin:answer:{operation.pk}")
    assert _text(told) == "failed - Host node2 was revoked or removed."
    operation.refresh_from_db()
    assert operation.outcome == "failed" and operation.finished is not None


def test_a_broker_that_is_away_is_said(node2: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(broker, "_find_outside", lambda environment: ("192.168.5.11:6390", "", "rediss"))
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(Unavailable, match="cannot reach the broker") as refused:
        broker.grant(node2)
    assert refused.value.code == "broker_silent"


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
