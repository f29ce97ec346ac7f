"""Logins of hosts at the broker, with no more rights than a worker needs: see `workers.contract.broker`."""

import hmac
import logging
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

import redis

from apps.common.errors import Conflict, Unavailable
from apps.hosts.models import Host
from netadmin.environment import Environment
from workers.contract.broker import describe_login, name_login, queue_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """How a host reaches the broker: URL with its login, and the authority of its certificate, if it is our own."""

    url: str
    ca: str = ""


def grant(host: Host) -> Access:
    """Give the host a login, or the one it has a new password.

    Conflict `no_broker_for_hosts`: other machines cannot reach the broker; `broker_login_refused`: our own login
    there may make no others. Unavailable `broker_silent`: the server itself cannot reach it.
    """
    environment = Environment.read()
    address, ca, scheme = _find_outside(environment)
    password = _password(environment, host)
    try:
        _execute(environment, "SETUSER", name_login(host.name), *describe_login(host.name, password))
    except redis.RedisError as error:
        raise Unavailable("broker_silent", f"The server cannot reach the broker ({error}).") from error
    login = f"{quote(name_login(host.name), safe='')}:{password}@"
    return Access(url=urlunsplit((scheme, f"{login}{address}", "/0", "", "")), ca=ca)


def require_outside() -> None:
    """Conflict `no_broker_for_hosts` where no other machine can reach the broker."""
    _find_outside(Environment.read())


def revoke(host: Host) -> None:
    """Take the login away, and whoever uses it off the line. Where the broker is away the key alone protects."""
    try:
        _execute(Environment.read(), "DELUSER", name_login(host.name))
    except redis.RedisError:
        return


def end_logins(names: Collection[str]) -> None:
    """Take the logins of these hosts away, where there still are any, and what waits in their queues.

    Where the broker is away, or lets the server manage no logins, the hosts' keys alone protect.
    """
    environment = Environment.read()
    client = redis.Redis.from_url(environment.channel_url)
    try:
        known = set(client.acl_users())
        for name in names:
            if name_login(name) in known:
                _execute(environment, "DELUSER", name_login(name))
                client.delete(queue_of(name))
    except (redis.RedisError, Conflict) as error:
        log.debug("logins of hosts that went stay at the broker: %s", error)
    finally:
        client.close()


def _find_outside(environment: Environment) -> tuple[str, str, str]:
    """(host:port, authority, scheme) by which other machines reach the broker."""
    if environment.broker_listen:
        return environment.broker_listen, environment.broker_authority.read_text(), "rediss"
    parts = urlsplit(environment.redis_url or "")
    if parts.scheme in ("redis", "rediss") and not _is_loopback(parts.hostname or ""):
        return f"{parts.hostname}:{parts.port or 6379}", _read_authority(parts.query), parts.scheme
    raise Conflict(
        "no_broker_for_hosts",
        "Other machines cannot reach the broker: set NETADMIN_BROKER_LISTEN=ADDRESS:PORT, or REDIS_URL, "
        "and start the server again.",
    )


def _read_authority(query: str) -> str:
    """What the server itself trusts by `?ssl_ca_certs=`, hosts must trust too."""
    for pair in query.split("&"):
        name, _, path = pair.partition("=")
        if name == "ssl_ca_certs":
            with open(path) as file:
                return file.read()
    return ""


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name in ("", "localhost")


def _password(environment: Environment, host: Host) -> str:
    """Of the host's key: with a new key the old login ends."""
    text = f"broker login\n{host.pk}\n{host.key}"
    return hmac.new(environment.secret_key.encode(), text.encode(), "sha256").hexdigest()


def _execute(environment: Environment, *command: str) -> None:
    client = redis.Redis.from_url(environment.channel_url)
    try:
        client.execute_command("ACL", *command)  # type: ignore[no-untyped-call]
        try:
            client.execute_command("ACL", "SAVE")  # type: ignore[no-untyped-call]
        except redis.ResponseError:
            # It was started without a file for logins; documented as what an outside Redis needs.
            return
    except redis.ResponseError as error:
        raise Conflict(
            "broker_login_refused",
            f"The broker does not let the server manage logins ({error}); "
            f"give its login the right +acl, or run there: ACL {' '.join(command)}",
        ) from error
    finally:
        client.close()
