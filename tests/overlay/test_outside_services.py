"""The product on Debian's PostgreSQL and Redis, with TLS and a login for everybody, as it is deployed for real."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from netadmin.certificates import make_certificate
from tests.fleet import Fleet, Machine, await_true
from tests.postgresql import running_postgresql


def start_redis(machine: Machine, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """(process, URL with the server's login)."""
    made = make_certificate(folder / "tls", machine.address)
    logins = folder / "logins.acl"
    if not logins.exists():
        logins.write_text("user default off\nuser netadmin on >outside ~* &* +@all\n")
    options = {
        "bind": machine.address,
        "port": "0",
        "tls-port": "6391",
        "tls-cert-file": made.certificate,
        "tls-key-file": made.key,
        "tls-ca-cert-file": made.authority,
        "tls-auth-clients": "no",
        "aclfile": logins,
        "appendonly": "yes",
        "save": "",
        "dir": folder,
    }
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    with (folder / "redis.log").open("ab") as log:
        server = subprocess.Popen([*machine.prefix, "redis-server", *words], stdout=log, stderr=log)
    query = f"ssl_cert_reqs=required&ssl_ca_certs={made.authority}"
    return server, f"rediss://netadmin:outside@{machine.address}:6391/0?{query}"


def answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def fleet(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet, folder = Fleet(tmp_path_factory.mktemp("fleet")), tmp_path_factory.mktemp("redis")
    left = ["it was not started"]
    with running_postgresql() as database:
        broker, url = start_redis(fleet.lay_underlay(), folder)
        try:
            await_true(lambda: answers(url), "Redis answers")
            fleet.start_server({"DATABASE_URL": database, "REDIS_URL": url})
            fleet.join(fleet.add_machine(2))
            fleet.broker, fleet.broker_folder = broker, folder  # type: ignore[attr-defined]
            yield fleet
        finally:
            left = fleet.close()
            fleet.broker.kill()  # type: ignore[attr-defined]
            fleet.broker.wait()  # type: ignore[attr-defined]
    assert left == []


def test_two_hosts_play_on_outside_services(fleet: Fleet) -> None:
    do = fleet.product.do
    do("network create -d overlay lab")
    do("run -d --name=one --net=lab --host node1 sleep 1000")
    do("run -d --name=two --net=lab --host node2 sleep 1000")
    await_true(lambda: fleet.ping("node1", "one", "two"), "they reach each other", 5)
    assert fleet.ping("node2", "two", "one")
    assert "PING one" in do("--host node2 exec two ping -c1 one")


def test_redis_killed_and_back_keeps_logins_and_loses_nothing(fleet: Fleet) -> None:
    fleet.broker.kill()  # type: ignore[attr-defined]
    fleet.broker.wait()  # type: ignore[attr-defined]
    assert fleet.ping("node1", "one", "two")
    done = fleet.product.run("run", "-d", "--name=three", "--net=lab", "--host", "node2")
    assert done.returncode == 0 and "has not answered yet" in done.stderr
    fleet.broker, _ = start_redis(fleet.machines["node1"], fleet.broker_folder)  # type: ignore[attr-defined]
    await_true(lambda: fleet.ping("node1", "one", "three"), "what was asked for meanwhile is made")
    fleet.product.do("rm -f one two three")
