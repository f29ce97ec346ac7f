"""A host is trusted for itself only: what its login may do, and what is refused."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from celery import signature
from kombu import Queue

from tests.fleet import Fleet, await_true
from tests.overheard import bring, envelope_of, overhearing
from tests.product import NETADMIN
from workers.contract.broker import with_authority
from workers.contract.envelope import seal
from workers.contract.joining import Configuration
from workers.contract.state import Delta, Row
from workers.tasks import make_celery


@pytest.fixture(scope="module")
def broker(fleet: Fleet) -> Iterator[redis.Redis]:
    """As whoever owns it has it."""
    state_dir = fleet.product.state_dir
    password = (state_dir / "redis_password").read_text()
    with redis.Redis(unix_socket_path=str(state_dir / "redis" / "redis.sock"), password=password) as client:
        yield client


@pytest.fixture(scope="module")
def stolen(fleet: Fleet) -> Configuration:
    """What somebody finds on node2."""
    return read_configuration(fleet, "node2")


def read_configuration(fleet: Fleet, host: str) -> Configuration:
    folder = fleet.machines[host].folder / "hosts" / host
    path = folder / "worker.json"
    assert path.stat().st_mode & 0o777 == 0o600
    found = msgspec.json.decode(path.read_bytes(), type=Configuration)
    url = with_authority(found.redis_url, str(folder / "broker.pem"))
    return msgspec.structs.replace(found, redis_url=url)


def test_a_login_is_good_for_its_own_host_only(fleet: Fleet, stolen: Configuration) -> None:
    client = redis.Redis.from_url(stolen.redis_url)
    assert client.llen("host.node2") == 0
    for command in (
        ("LLEN", "host.node3"),
        ("BRPOP", "host.node1", 1),
        ("LRANGE", "server", 0, -1),
        ("BRPOP", "server", 1),
        ("DEL", "server"),
        ("HGETALL", "unacked"),
        ("HGET", "netadmin:unacked:node3:messages", "x"),
        ("LPUSH", "netadmin:answer:node3:x", "forged"),
        ("LPUSH", "host.node3", "forged"),
        ("BRPOP", "netadmin:transfer:node3:x", 1),
        ("GET", "netadmin:answer:node2:x"),
        ("SUBSCRIBE", "netadmin:stream:node3:x:in"),
        ("PUBLISH", "netadmin:stream:node3:x:out", "forged"),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("FLUSHALL",),
        ("EVAL", "return redis.call('LLEN', 'host.node3')", 0),
    ):
        with pytest.raises(redis.ResponseError, match=r"(?i)no permissions|NOPERM|can't|not allowed"):
            client.execute_command(*command)
    assert client.lpush("server", "not even JSON") >= 1
    await_true(lambda: fleet.state_of("node3") == "online", "the server goes on")


LATER = {
    "task": "workers.apply",
    "args": [{}],
    "kwargs": {},
    "options": {"queue": "elsewhere"},
    "subtask_type": None,
}
REPORT = [{"host": "node2"}]


@pytest.mark.parametrize(
    ("task", "arguments", "besides"),
    [
        ("server.report", REPORT, {"link": signature(LATER)}),
        ("server.report", [None], {"link_error": signature(LATER)}),
        ("server.report", REPORT, {"chain": [LATER]}),
        ("celery.group", [[LATER], [["x", None], [[["y", None], None]]], "x", []], {}),
    ],
    ids=["link", "link after an error", "chain", "Celery's group"],
)
def test_what_a_login_puts_into_the_servers_queue_leads_nowhere_else(
    stolen: Configuration, broker: redis.Redis, task: str, arguments: list[Any], besides: dict[str, Any]
) -> None:
    app, queue = make_celery(stolen), Queue("server", no_declare=True)
    # One after the other: what comes of the first is done when the second has been taken.
    for name, given, more in ((task, arguments, besides), ("server.report", REPORT, {})):
        app.send_task(name, args=given, queue=queue, argsrepr="(forged)", **more)  # type: ignore[arg-type]
        await_true(lambda: broker.llen("server") == 0, "the server's worker takes what comes")
    assert broker.keys("*elsewhere*") == []


def test_what_is_sent_to_a_host_again_is_not_done_again(
    fleet: Fleet, broker: redis.Redis, tmp_path: Path
) -> None:
    do, marks = fleet.product.do, tmp_path / "marks"
    do("run -d --name=v --host node3")
    with overhearing(broker, "host.node3") as read:
        do("run -d --name=r --host node3")
        done = fleet.product.run("exec", "v", "sh", "-c", f"echo x >>{marks}")
        assert done.returncode == 0, done.stderr
        heard = read()
    do("rm -f r")
    assert marks.read_text() == "x\n" and len(heard) >= 2
    broker.lpush("host.node3", *heard)
    # A host takes one after the other: with these two done, what was sent again is behind it.
    do("run -d --name=w --host node3")
    do("exec v true")
    assert marks.read_text() == "x\n"
    assert fleet.sandboxes("node3") == {"v", "w"}


@pytest.mark.parametrize("fault", ["forged", "altered", "another host's", "sent back"])
def test_what_the_server_has_not_said_is_not_done(fleet: Fleet, broker: redis.Redis, fault: str) -> None:
    do, key = fleet.product.do, read_configuration(fleet, "node3").key
    with overhearing(broker, "host.node3") as read:
        do("restart v")
        message = read()[0]
    delta = msgspec.json.decode(envelope_of(message)["body"], type=Delta)
    rows = tuple(Row(kind=row.kind, id=row.id, revision=delta.revision) for row in delta.rows)
    removal = msgspec.structs.replace(delta, rows=rows)
    envelope: Any = {
        "forged": seal(removal, host="node3", key="0" * 64, direction="to-host"),
        "altered": {**envelope_of(message), "body": msgspec.json.encode(removal).decode()},
        "another host's": seal(
            removal, host="node2", key=read_configuration(fleet, "node2").key, direction="to-host"
        ),
        "sent back": seal(removal, host="node3", key=key, direction="to-server"),
    }[fault]
    before = fleet.machines["node3"].run("stat", "-Lc", "%i", "/run/netns/v")
    broker.lpush("host.node3", bring(message, envelope))
    do("restart w")
    assert fleet.machines["node3"].run("stat", "-Lc", "%i", "/run/netns/v") == before


def test_without_a_login_or_with_another_authority_nobody_comes_in(stolen: Configuration) -> None:
    host, _, tail = stolen.redis_url.partition("@")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"rediss://{tail}").ping()
    trusting_nobody = f"{host}@{tail.partition('?')[0]}?ssl_cert_reqs=required"
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(trusting_nobody).ping()


def test_a_token_works_once(fleet: Fleet) -> None:
    command = fleet.product.do_quietly("host add node9 --advertise 192.168.5.19").split()
    machine = fleet.machines["node3"]
    folder = str(fleet.folder / "node9")
    words = [*machine.prefix, NETADMIN, *command[1:], "--no-start", "--state-dir", folder]
    first = subprocess.run(words, capture_output=True, text=True, env=machine.environment)
    # The address is another machine's: said, and the token is used up all the same.
    assert first.returncode == 1 and "No device of this machine has the advertise address" in first.stderr
    again = subprocess.run(words, capture_output=True, text=True, env=machine.environment)
    assert again.returncode == 1 and "used before" in again.stderr
    fleet.product.do("host rm node9")


def test_a_revoked_host_gets_and_changes_nothing(
    fleet: Fleet, stolen: Configuration, broker: redis.Redis
) -> None:
    do = fleet.product.do
    do("network create -d overlay lab")
    do("run -d --name=c1 --net=lab --host node1")
    do("run -d --name=c2 --net=lab --host node2")
    await_true(lambda: fleet.ping("node1", "c1", "c2"), "they reach each other", 5)
    do("host revoke node2")
    assert fleet.state_of("node2") == "revoked"
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(stolen.redis_url).ping()
    refused = fleet.product.refuse("run -d --name=c3 --host node2")
    assert "is revoked" in refused
    seen = json.loads(do("host inspect node2"))[0]["last_seen"]
    assert fleet.product.run("exec", "c2", "true").returncode != 0
    assert broker.llen("host.node2") == 0
    # What it had runs on; what it is told now does not reach it.
    assert fleet.ping("node1", "c1", "c2")
    assert fleet.sandboxes("node2") == {"c2"}
    assert json.loads(do("host inspect node2"))[0]["last_seen"] == seen
    # A new token makes it a host again, which goes on where it was.
    fleet.machines["node2"].stop()
    fleet.machines["node2"].join(fleet.product.do_quietly("host renew node2"))
    fleet.await_state("node2", "online")
    do("run -d --name=c3 --net=lab --host node2")
    await_true(lambda: fleet.ping("node1", "c1", "c3"), "the renewed host works", 5)


def test_a_drained_host_keeps_what_it_has(fleet: Fleet) -> None:
    fleet.product.do("run -d --name=d --host node3")
    fleet.product.do("host drain node3")
    assert "online, drained" in fleet.product.do("host ls")
    assert "is drained" in fleet.product.refuse("run -d --name=e --host node3")
    assert "is drained" in fleet.product.refuse("network connect lab d")
    fleet.product.do("stop d")
    assert "is drained" in fleet.product.refuse("start d")
    fleet.product.do("host undrain node3")
    fleet.product.do("start d")
    fleet.product.do("rm -f d")


def test_a_removed_host_becomes_empty(fleet: Fleet) -> None:
    fleet.product.do("run -d --name=g --net=lab --host node3")
    assert "container g" in fleet.product.refuse("host rm node3")
    fleet.product.do("host rm -f node3")
    machine = fleet.machines["node3"]
    await_true(lambda: not fleet.sandboxes("node3"), "its namespaces are gone", 10)
    await_true(lambda: "ov-" not in machine.run("ip", "-o", "link"), "its networks are gone", 10)
    assert fleet.address_of("node1", "c1", "g") == ""
    assert "no host named 'node3'" in fleet.product.refuse("host inspect node3")
