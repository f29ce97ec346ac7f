"""Every secret of a running product is a canary, and none of them is found where others look.

Looked at are all logs, what goes through the broker, the history, the answers to what fails, error pages among them,
command lines of processes, and the support bundle; and that nobody but its owner may read a file that has one.
"""

import base64
import http.client
import json
import re
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import redis

from tests.postgresql import running_postgresql
from tests.product import Product, find_free_port, running_product, show_command

SECRET_KEY = "canary-secret-key-of-the-server-0123456789-abcdefghijklmnop"
REDIS_PASSWORD = "canary-redis-password-0123456789abcdef"
DATABASE_PASSWORD = "canary:database/password-0123456789"
PASSWORD = "canary-Passw0rd-of-admin"
WRONG_PASSWORD = "canary-wrong-passw0rd"
ENVIRONMENT, ARGUMENT = "canary-value-of-a-variable", "canary-word-of-a-command"
WRONG_TOKEN = "nad_0123456789abcdef.canary-token-that-is-none"
WRONG_JOIN = "naj_0123456789ab.canary-join-token-that-is-none"
Answer = tuple[int, str, http.client.HTTPMessage]
"""Status, text and headers."""


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
def database(private_host: None) -> Iterator[str]:
    """A URL with a password, which goes everywhere that the URL goes, though the server asks nobody for one."""
    with running_postgresql() as url:
        yield url.replace("netadmin@", f"netadmin:{quote(DATABASE_PASSWORD, safe='')}@", 1)


@pytest.fixture(scope="module")
def product(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("state")
    for name, secret in (("secret_key", SECRET_KEY), ("redis_password", REDIS_PASSWORD)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    settings = {
        "DATABASE_URL": database,
        "NETADMIN_ADMIN_PASSWORD": PASSWORD,
        "NETADMIN_BROKER_LISTEN": f"127.0.0.1:{find_free_port()}",
        "NETADMIN_DOCKER_LISTEN": f"127.0.0.1:{find_free_port()}",
        "NETADMIN_LOG_LEVEL": "debug",
    }
    with running_product(folder, **settings) as product:
        yield product


@pytest.fixture(scope="module")
def traffic(product: Product) -> Traffic:
    traffic = Traffic(product.state_dir / "redis" / "redis.sock")
    threading.Thread(target=traffic.watch, daemon=True).start()
    assert traffic.watching.wait(20)
    return traffic


def unfold(text: str) -> str:
    """The text, and what is written in it in base64: so are the bodies of messages."""
    words = re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text)
    bodies = [base64.b64decode(word).decode(errors="replace") for word in words if len(word) % 4 == 0]
    return "\n".join([text, *bodies])


def ask(product: Product, method: str, path: str, body: object = None, **headers: str) -> Answer:
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


def read_keys(*folders: Path) -> list[str]:
    """A line of each private key there; whoever shows a key shows it."""
    texts = [path.read_text() for folder in folders for path in folder.iterdir()]
    return [text.splitlines()[1] for text in texts if "PRIVATE KEY" in text]


def live(product: Product, folder: Path) -> tuple[list[str], list[str]]:
    """What people and machines do, well and badly: the secrets of it, and all that was answered to what fails."""
    token = product.do("token create canary").split()[-1]
    joining = product.do_quietly("host add node9").split()[-1]
    assert token.startswith("nad_") and joining.startswith("naj_")
    secrets, session = sign_in(product)
    configuration = json.loads((product.state_dir / "hosts/node1/worker.json").read_text())
    login = urlsplit(configuration["redis_url"]).password
    secrets += [configuration["key"], token, token.partition(".")[2], joining, joining.partition(".")[2]]
    secrets += [login] if login else []
    product.do(f"certificate create canary {folder}")
    keys = read_keys(folder, product.state_dir / "docker-tls", product.state_dir / "redis" / "tls")
    # Of the client, of both listeners, and of the authorities of both.
    assert len(keys) == 5
    product.do(f"run -d --name one -e DB_WORD={ENVIRONMENT} sleep 600")
    product.do(f"exec -e DB_WORD={ENVIRONMENT} one true {ARGUMENT}")
    bearer = {"Authorization": f"Bearer {token}"}
    wish = {"Image": "host", "Cmd": ["sleep", "600"], "Env": [f"DB_WORD={ENVIRONMENT}"]}
    made = ask(product, "POST", "/hosts/node1/v1.43/containers/create?name=three", wish, **bearer)
    assert made[0] == 201, made
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
        *break_down(product, session, bearer),
    ]
    assert all(status >= 400 for status, _, _ in answers), [status for status, _, _ in answers]
    product.refuse("run -d --name two --net nowhere sleep 1")
    return secrets + keys, [text for _, text, _ in answers]


def break_down(product: Product, session: dict[str, str], bearer: dict[str, str]) -> list[Answer]:
    """What is answered while a table of the record is gone: to pages, to the REST API and to Docker's."""
    with psycopg.connect(product.settings["DATABASE_URL"], autocommit=True) as record:
        record.execute("ALTER TABLE accounts_apitoken RENAME TO gone")
        try:
            answers = [
                ask(product, "GET", "/admin/accounts/apitoken/", **session),
                ask(product, "GET", "/api/v1/tokens/", **session),
                ask(product, "POST", "/api/v1/networks/", {"name": "lab", "password": PASSWORD}, **bearer),
                ask(product, "GET", "/hosts/node1/v1.43/networks", **bearer),
            ]
        finally:
            record.execute("ALTER TABLE gone RENAME TO accounts_apitoken")
    assert {status for status, _, _ in answers} == {500}, answers
    return answers


def read_bundle(product: Product, path: Path) -> dict[str, str]:
    product.do(f"support-bundle --output {path}")
    with tarfile.open(path) as archive:
        files = [(member.name.partition("/")[2], archive.extractfile(member)) for member in archive]
        return {name: file.read().decode() for name, file in files if file is not None}


def read_history(product: Product) -> str:
    """Ours, and the admin's own."""
    with psycopg.connect(product.settings["DATABASE_URL"]) as record:
        own = record.execute("SELECT * FROM delivery_operation").fetchall()
        return json.dumps([own, record.execute("SELECT * FROM django_admin_log").fetchall()], default=str)


def find_open_files(product: Product, secrets: list[str]) -> list[str]:
    """Files with a secret that others may read, were the state directory itself not closed to them."""
    found = []
    for path in product.state_dir.rglob("*"):
        if path.is_file() and not path.is_symlink():
            ways = [path, *(folder for folder in path.parents if folder.is_relative_to(product.state_dir))]
            shut = any(way.stat().st_mode & 0o077 == 0 for way in ways if way != product.state_dir)
            if not shut and any(secret.encode() in path.read_bytes() for secret in secrets):
                found.append(str(path.relative_to(product.state_dir)))
    return found


def test_no_secret_is_in_logs_broker_history_answers_or_the_support_bundle(
    product: Product, traffic: Traffic, tmp_path: Path
) -> None:
    secrets, answers = live(product, tmp_path / "certificate")
    secrets += [SECRET_KEY, REDIS_PASSWORD, PASSWORD, WRONG_PASSWORD, WRONG_TOKEN, WRONG_JOIN]
    secrets += [DATABASE_PASSWORD, quote(DATABASE_PASSWORD, safe="")]
    path = tmp_path / "bundle.tar.gz"
    bundle = read_bundle(product, path)
    logs = [file.read_text() for file in product.state_dir.rglob("*.log") if file.parent.name != "logs"]
    places: dict[str, str] = {
        "logs": "\n".join(logs),
        "broker": unfold("\n".join(traffic.commands)),
        "history": read_history(product),
        "answers": "\n".join(answers),
        "command lines": "\n".join(show_command(pid) for pid in product.find_processes()),
        "bundle": "\n".join([*bundle, *bundle.values()]),
    }
    for place, sign in (
        ("logs", "create process"),
        ("logs", "Internal Server Error"),
        ("broker", "workers.apply"),
        ("broker", "DB_WORD"),
        ("history", "container.create"),
        ("answers", "bad_token"),
        ("command lines", "netadmin.web"),
        ("bundle", "container.create"),
    ):
        assert sign in places[place], f"nothing is looked at in {place}"
    found = [(place, secret) for place, text in places.items() for secret in secrets if secret in text]
    assert found == []
    # What is of containers: docs/security.md says who may see it.
    assert [place for place, text in places.items() if ENVIRONMENT in text] == ["broker"]
    assert [place for place, text in places.items() if ARGUMENT in text] == ["broker", "history"]
    assert find_open_files(product, [*secrets, ENVIRONMENT]) == []
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
