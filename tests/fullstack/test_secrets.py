"""Every secret of a running product is a canary, and none of them is found where others look.

Looked at are all logs, what goes through the broker, the history, the answers to what fails, and the support bundle.
"""

import http.client
import json
import sqlite3
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.product import Product, find_free_port

SECRET_KEY = "canary-secret-key-of-the-server-0123456789-abcdefghijklmnop"
REDIS_PASSWORD = "canary-redis-password-0123456789abcdef"
PASSWORD = "canary-Passw0rd-of-admin"
WRONG_PASSWORD = "canary-wrong-passw0rd"
ENVIRONMENT = "canary-value-of-a-variable"
WRONG_TOKEN = "nad_0123456789abcdef.canary-token-that-is-none"
WRONG_JOIN = "naj_0123456789ab.canary-join-token-that-is-none"


@dataclass
class Traffic:
    """Every command that Redis was given, as its MONITOR tells it; logins it leaves out itself."""

    path: Path
    commands: list[str] = field(default_factory=list)
    watching: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        client = redis.Redis(unix_socket_path=str(self.path), password=REDIS_PASSWORD, socket_timeout=None)
        with client.monitor() as monitor:
            self.watching.set()
            try:
                for told in monitor.listen():
                    self.commands.append(str(told["command"]))
            except (redis.RedisError, OSError):
                return


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("state")
    for name, secret in (("secret_key", SECRET_KEY), ("redis_password", REDIS_PASSWORD)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    settings = {
        "NETADMIN_ADMIN_PASSWORD": PASSWORD,
        "NETADMIN_BROKER_LISTEN": f"127.0.0.1:{find_free_port()}",
        "NETADMIN_LOG_LEVEL": "debug",
    }
    product = Product(folder, settings=settings)
    product.start()
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []


@pytest.fixture(scope="module")
def traffic(product: Product) -> Traffic:
    traffic = Traffic(product.state_dir / "redis" / "redis.sock")
    threading.Thread(target=traffic.watch, daemon=True).start()
    assert traffic.watching.wait(20)
    return traffic


def ask(
    product: Product, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(product.listen, timeout=60)
    sent = {"Content-Type": "application/json", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def sign_in(product: Product) -> tuple[list[str], dict[str, str]]:
    """(secrets of a browser's session, its headers)"""
    _, _, headers = ask(product, "GET", "/")
    first = headers["Set-Cookie"].split(";")[0]
    sent = {"Cookie": first, "X-CSRFToken": first.partition("=")[2]}
    status, text, headers = ask(
        product, "POST", "/api/v1/session/", {"name": "admin", "password": PASSWORD}, **sent
    )
    assert status == 200, text
    cookies = dict(line.split(";")[0].split("=", 1) for line in headers.get_all("Set-Cookie"))
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return list(cookies.values()), {"Cookie": cookie, "X-CSRFToken": cookies["csrftoken"]}


def live(product: Product) -> tuple[list[str], list[str]]:
    """What people and machines do, well and badly: the secrets of it, and all that was answered to what fails."""
    token = product.do("token create canary").split()[-1]
    joining = product.do_quietly("host add node9").split()[-1]
    assert token.startswith("nad_") and joining.startswith("naj_")
    secrets, session = sign_in(product)
    configuration = json.loads((product.state_dir / "hosts/node1/worker.json").read_text())
    secrets += [configuration["key"], token, token.partition(".")[2], joining, joining.partition(".")[2]]
    product.do(f"run -d --name one -e DB_WORD={ENVIRONMENT} sleep 600")
    product.do("exec one true")
    bearer = {"Authorization": f"Bearer {token}"}
    answers = [
        ask(product, "POST", "/api/v1/session/", {"name": "admin", "password": WRONG_PASSWORD}, **session),
        ask(product, "GET", "/api/v1/networks/", Authorization=f"Bearer {WRONG_TOKEN}"),
        ask(product, "POST", "/api/v1/join/", {"token": WRONG_JOIN, "key": WRONG_JOIN}),
        ask(product, "GET", "/api/v1/nothing/", **session),
        ask(product, "POST", "/api/v1/containers/", {"name": "a b", "env": {"A": ENVIRONMENT}}, **bearer),
        ask(product, "POST", "/api/v1/containers/", {"name": 7, "password": PASSWORD}, **session),
        ask(product, "DELETE", "/api/v1/networks/bridge/", **session),
        ask(product, "POST", "/hosts/node1/v1.43/containers/create", {"Image": "?"}, **bearer),
        ask(product, "GET", "/metrics", Authorization="Bearer"),
        ask(product, "POST", "/admin/login/", {"username": "admin", "password": WRONG_PASSWORD}),
    ]
    assert all(status >= 400 for status, _, _ in answers), [status for status, _, _ in answers]
    product.refuse("run -d --name two --net nowhere sleep 1")
    return secrets, [text for _, text, _ in answers]


def read_bundle(product: Product, path: Path) -> dict[str, str]:
    product.do(f"support-bundle --output {path}")
    with tarfile.open(path) as archive:
        files = [(member.name.partition("/")[2], archive.extractfile(member)) for member in archive]
        return {name: file.read().decode() for name, file in files if file is not None}


def test_no_secret_is_in_logs_broker_history_answers_or_the_support_bundle(
    product: Product, traffic: Traffic, tmp_path: Path
) -> None:
    secrets, answers = live(product)
    secrets += [SECRET_KEY, REDIS_PASSWORD, PASSWORD, WRONG_PASSWORD, WRONG_TOKEN, WRONG_JOIN]
    path = tmp_path / "bundle.tar.gz"
    bundle = read_bundle(product, path)
    with sqlite3.connect(product.state_dir / "netadmin.sqlite3") as record:
        history = json.dumps(record.execute("SELECT * FROM delivery_operation").fetchall(), default=str)
    logs = [file.read_text() for file in product.state_dir.rglob("*.log") if file.parent.name != "logs"]
    places: dict[str, str] = {
        "logs": "\n".join(logs),
        "broker": "\n".join(traffic.commands),
        "history": history,
        "answers": "\n".join(answers),
        "bundle": "\n".join([*bundle, *bundle.values()]),
    }
    for place, sign in (
        ("logs", "create process"),
        ("broker", "workers.apply"),
        ("history", "container.create"),
        ("answers", "bad_token"),
        ("bundle", "container.create"),
    ):
        assert sign in places[place], f"nothing is looked at in {place}"
    found = [(place, secret) for place, text in places.items() for secret in secrets if secret in text]
    # What is sealed for a host can be read by whoever owns the broker: docs/security.md says so.
    found += [(place, ENVIRONMENT) for place in places if place != "broker" and ENVIRONMENT in places[place]]
    assert found == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_bundle_says_what_somebody_who_helps_asks_first(product: Product, tmp_path: Path) -> None:
    deadline = time.monotonic() + 60
    while ask(product, "GET", "/readyz")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    bundle = read_bundle(product, tmp_path / "second.tar.gz")
    assert "missing.txt" not in bundle
    hosts: list[dict[str, Any]] = json.loads(bundle["hosts.json"])
    [own] = [host for host in hosts if host["name"] == "node1"]
    assert (own["state"], own["lag"], own["problems"]) == ("online", 0, [])
    settings = json.loads(bundle["settings.json"])
    assert settings["NETADMIN_ADMIN_PASSWORD"] == "(secret)"
    assert settings["NETADMIN_BROKER_LISTEN"].startswith("127.0.0.1:")
    assert json.loads(bundle["versions.json"])["netadmin"]
    assert json.loads(bundle["ready.json"])["ready"] is True
    assert "netadmin_host_up" in bundle["metrics.txt"]
    assert {"log/web.log", "log/host-worker.log", "log/server-worker.log"} <= bundle.keys()
    refused = product.refuse(f"support-bundle --output {tmp_path / 'second.tar.gz'}")
    assert "is there already" in refused
