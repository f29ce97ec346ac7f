"""`python -m workers join`: this machine becomes a host, with a one-time token (see `workers.contract.joining`)."""

import email.utils
import http.client
import json
import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import redis

from workers import __version__
from workers.contract.broker import queue_of, with_authority
from workers.contract.envelope import Refused
from workers.contract.joining import Configuration, Request, Token, open_answer, prove, read_token
from workers.preflight import (
    Unfit,
    check_kernel,
    check_port,
    check_root,
    check_runtime,
    check_underlay,
    run_checks,
)

TIMEOUT = 15.0
CLOCK_WITHIN = 60.0
"""Seconds that this machine's clock and the server's may be apart: questions older than that are not answered."""


class Failed(Exception):
    """Sentences for the person who ran the command."""


def join(url: str, text: str, state_dir: Path, say: Callable[[str], None]) -> Path:
    """Check the machine, use the token, and write the host's configuration; its path.

    The token is used only when everything that can be known before holds.
    """
    try:
        token = read_token(text)
    except Refused as error:
        raise Failed(f"The token cannot be used: {error}.") from error
    _require(run_checks([check_root], say))
    before: list[Callable[[], str]] = [check_kernel, check_runtime, check_port, partial(_check_server, url)]
    _require(run_checks(before, say))
    configuration = _ask(url, token)
    folder = state_dir / "hosts" / configuration.host
    configuration = msgspec.structs.replace(configuration, state_dir=str(folder))
    path = _write(folder, configuration)
    after: list[Callable[[], str]] = [partial(_check_broker, path)]
    if configuration.advertise:
        after.append(partial(check_underlay, configuration.advertise))
    _require(run_checks(after, say))
    say(f"This machine is host {configuration.host}; its configuration is {path}.")
    return path


def find_configuration(state_dir: Path, host: str | None) -> Path:
    """Of the host that joined with this state directory."""
    found = sorted((state_dir / "hosts").glob("*/worker.json"))
    if host is not None:
        found = [path for path in found if path.parent.name == host]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failed(
            f"No host has joined with {state_dir}; run `netadmin worker join URL --token TOKEN` first."
        )
    raise Failed(f"Several hosts are in {state_dir}; say which: --host {found[0].parent.name}.")


def _require(failed: list[str]) -> None:
    if failed:
        raise Failed("\n".join(["This machine cannot be a host yet:", *(f"- {each}" for each in failed)]))


def _connect(url: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection, and the path before the API's."""
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname:
        raise Failed(f"{url!r} is not the address of a server; write it as http://HOST:PORT or https://HOST.")
    return kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT), parts.path.rstrip("/")


def _exchange(
    url: str, method: str, path: str, body: bytes | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection, prefix = _connect(url)
    try:
        connection.request(method, prefix + path, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def _check_server(url: str) -> str:
    """It answers, and its clock agrees with ours."""
    try:
        response, _ = _exchange(url, "GET", "/api/v1/me/")
    except (OSError, http.client.HTTPException) as error:
        raise Unfit(
            f"The server at {url} cannot be reached ({error}); check address and firewall."
        ) from error
    date = response.getheader("Date")
    if date:
        apart = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
        if abs(apart) > CLOCK_WITHIN:
            raise Unfit(
                f"This machine's clock is {abs(apart):.0f} s {'before' if apart > 0 else 'behind'} the server's: "
                "set it, best by NTP."
            )
    return f"the server at {url} answers, and the clocks agree"


def _ask(url: str, token: Token) -> Configuration:
    nonce, at = secrets.token_hex(16), time.time()
    request = Request(
        key=token.key, nonce=nonce, at=at, proof=prove(token.verifier, nonce, at), version=__version__
    )
    try:
        response, text = _exchange(url, "POST", "/api/v1/join/", msgspec.json.encode(request))
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"The server at {url} cannot be reached ({error}).") from error
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if response.status != 200:
        raise Failed(str(body.get("message") or f"The server answered with HTTP status {response.status}."))
    try:
        return open_answer(str(body.get("sealed")), Configuration, token.verifier, nonce)
    except Refused as error:
        raise Failed(f"The answer cannot be trusted: {error}.") from error


def _write(folder: Path, configuration: Configuration) -> Path:
    """Readable by root only, from its first moment on; an earlier one is replaced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "worker.json"
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(configuration)))
    made.replace(path)
    if configuration.redis_ca:
        authority = folder / "broker.pem"
        authority.touch(mode=0o600)
        authority.write_text(configuration.redis_ca)
    return path


def _check_broker(path: Path) -> str:
    configuration = msgspec.json.decode(path.read_bytes(), type=Configuration)
    url = configuration.redis_url
    if configuration.redis_ca:
        url = with_authority(url, str(path.with_name("broker.pem")))
    shown = urlsplit(url)
    client = redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT)
    try:
        client.llen(queue_of(configuration.host))
    except redis.RedisError as error:
        raise Unfit(
            f"The broker at {shown.hostname}:{shown.port} cannot be used ({error}); check address and firewall."
        ) from error
    finally:
        client.close()
    return f"the broker at {shown.hostname}:{shown.port} takes this host's login"
