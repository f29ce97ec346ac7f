"""Every setting, read from the environment in this one place; docs/settings.md lists them.

Knows no Django: settings, launcher and command line all read from here.
"""

import grp
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from netadmin.addresses import list_addresses

HOST_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?\Z")
LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path, unix(7)."""


_PLAIN_NAME = re.compile(r"[a-z0-9:]([a-z0-9:._-]*[a-z0-9:])?\Z")
LARGEST = 36500
"""Of an amount of hours or days: a hundred years of days."""
LOG_FORMATS, LOG_LEVELS = ("lines", "json"), ("debug", "info", "warning", "error")
"""As `workers.tracing` has them, which the command line does without."""
Block = ipaddress.IPv4Network | ipaddress.IPv6Network


class Misconfigured(Exception):
    """A setting that cannot be used, in one sentence."""


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _read_address(name: str, text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit() or not 0 < int(port) < 65536:
        raise Misconfigured(f"{name} must be ADDRESS:PORT such as 127.0.0.1:8000, not {text!r}.")
    return address.strip("[]"), int(port)


def _require_word(name: str, text: str, words: tuple[str, ...]) -> None:
    if text not in words:
        raise Misconfigured(f"{name} must be one of {', '.join(words)}, not {text!r}.")


def _read_words(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").replace(",", " ").split())


def _read_blocks(name: str, text: str | None) -> tuple[Block, ...]:
    try:
        return tuple(ipaddress.ip_network(word) for word in _read_words(text))
    except ValueError as error:
        raise Misconfigured(
            f"{name} must be addresses or blocks such as 127.0.0.1 10.0.0.0/8: {error}."
        ) from error


def _read_amount(name: str, text: str | None, usual: float) -> float:
    if not text:
        return usual
    try:
        amount = float(text)
    except ValueError:
        amount = 0
    if not 0 < amount <= LARGEST:
        raise Misconfigured(f"{name} must be a number above 0 and at most {LARGEST}, not {text!r}.")
    return amount


@dataclass(frozen=True)
class Environment:
    state_dir: Path
    listen: str
    host_name: str
    admin_password: str | None
    database_url: str | None
    redis_url: str | None
    broker_listen: str | None
    advertise: str | None
    docker_listen: str | None
    docker_dir: Path | None
    """NAME.sock in it is the Docker Engine API of the host of that name, for the local administrator."""
    docker_group: str | None
    url: str | None
    allowed_hosts: tuple[str, ...]
    proxies: tuple[Block, ...]
    session_hours: float
    token_days: float
    bridge_icc: bool
    log_format: str
    log_level: str
    debug: bool

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> "Environment":
        """The settings, or `Misconfigured` for the first one that is wrong."""
        environment = cls(
            state_dir=Path(variables.get("NETADMIN_STATE_DIR") or "/var/lib/netadmin"),
            listen=variables.get("NETADMIN_LISTEN") or "127.0.0.1:8000",
            host_name=variables.get("NETADMIN_HOST_NAME") or socket.gethostname(),
            admin_password=variables.get("NETADMIN_ADMIN_PASSWORD") or None,
            database_url=variables.get("DATABASE_URL") or None,
            redis_url=variables.get("REDIS_URL") or None,
            broker_listen=variables.get("NETADMIN_BROKER_LISTEN") or None,
            advertise=variables.get("NETADMIN_ADVERTISE") or None,
            docker_listen=variables.get("NETADMIN_DOCKER_LISTEN") or None,
            docker_dir=Path(given) if (given := variables.get("NETADMIN_DOCKER_SOCKETS")) else None,
            docker_group=variables.get("NETADMIN_DOCKER_GROUP") or None,
            url=(variables.get("NETADMIN_PUBLIC_URL") or "").rstrip("/") or None,
            allowed_hosts=_read_words(variables.get("NETADMIN_ALLOWED_HOSTS")),
            proxies=_read_blocks("NETADMIN_PROXIES", variables.get("NETADMIN_PROXIES")),
            session_hours=_read_amount("NETADMIN_SESSION_HOURS", variables.get("NETADMIN_SESSION_HOURS"), 12),
            token_days=_read_amount("NETADMIN_TOKEN_DAYS", variables.get("NETADMIN_TOKEN_DAYS"), 90),
            bridge_icc=variables.get("NETADMIN_BRIDGE_ICC", "1") != "0",
            log_format=variables.get("NETADMIN_LOG_FORMAT") or LOG_FORMATS[0],
            log_level=variables.get("NETADMIN_LOG_LEVEL") or "warning",
            debug=variables.get("NETADMIN_DEBUG", "") == "1",
        )
        environment._check()
        return environment

    def _check(self) -> None:
        if not self.state_dir.is_absolute():
            raise Misconfigured(f"NETADMIN_STATE_DIR must be an absolute path, not {str(self.state_dir)!r}.")
        if not HOST_NAME.match(self.host_name):
            raise Misconfigured(
                f"NETADMIN_HOST_NAME cannot be {self.host_name!r}: use letters, digits, '-' and '.'."
            )
        if (over := len(os.fsencode(self.supervisor_socket)) - LONGEST_SOCKET) > 0:
            raise Misconfigured(
                f"NETADMIN_STATE_DIR is too long by {over} characters: no Unix socket can be made below it."
            )
        self._check_docker_sockets()
        _require_word("NETADMIN_LOG_FORMAT", self.log_format, LOG_FORMATS)
        _require_word("NETADMIN_LOG_LEVEL", self.log_level, LOG_LEVELS)
        _ = self.listen_address, self.broker_address, self.docker_address, self.database
        if self.advertise and not _is_address(self.advertise):
            raise Misconfigured(f"NETADMIN_ADVERTISE must be an IP address, not {self.advertise!r}.")
        if self.url and not _is_url(self.url, ("http", "https")):
            raise Misconfigured(
                f"NETADMIN_PUBLIC_URL must look like https://netadmin.example, not {self.url!r}."
            )
        if self.redis_url and self.broker_listen:
            raise Misconfigured(
                "NETADMIN_BROKER_LISTEN is for the private Redis; with REDIS_URL leave it out."
            )
        if self.redis_url and not _is_url(self.redis_url, ("redis", "rediss", "unix")):
            raise Misconfigured("REDIS_URL must look like redis://host:6379/0, rediss://… or unix:///path.")

    def _check_docker_sockets(self) -> None:
        folder = self.docker_dir
        if folder is not None and not folder.is_absolute():
            raise Misconfigured(f"NETADMIN_DOCKER_SOCKETS must be an absolute path, not {str(folder)!r}.")
        if self.docker_group is None:
            return
        if folder is None or folder.is_relative_to(self.state_dir):
            raise Misconfigured(
                "NETADMIN_DOCKER_GROUP needs NETADMIN_DOCKER_SOCKETS outside the state directory, which only root "
                "can enter: such as /run/netadmin."
            )
        if self.docker_group_id is None:
            raise Misconfigured(f"NETADMIN_DOCKER_GROUP: this machine has no group {self.docker_group!r}.")

    @property
    def docker_group_id(self) -> int | None:
        """Of the group whose members may use the sockets of the Docker Engine API beside root; None for none."""
        if self.docker_group is None:
            return None
        try:
            return grp.getgrnam(self.docker_group).gr_gid
        except KeyError:
            return None

    @property
    def listen_address(self) -> tuple[str, int]:
        """(address, port) of NETADMIN_LISTEN."""
        return _read_address("NETADMIN_LISTEN", self.listen)

    @property
    def behind_tls(self) -> bool:
        """People come by https, through a proxy that ends it."""
        return (self.url or "").startswith("https://")

    @property
    def names(self) -> list[str]:
        """What a request may call this server: a page of another name must not speak in somebody's browser for ours.

        https://owasp.org/www-community/attacks/DNS_Rebinding
        """
        return self._names(self.listen_address[0])

    def _names(self, address: str) -> list[str]:
        local = ["localhost", "127.0.0.1", "[::1]"]
        if address not in ("127.0.0.1", "::1"):
            own = list_addresses() if address in ("0.0.0.0", "::") else [address]
            local += [f"[{each}]" if ":" in each else each for each in own]
            local.append(socket.gethostname())
        public = urlsplit(self.url).hostname if self.url else None
        given = [*local, self.host_name, *([public] if public else []), *self.allowed_hosts]
        return list(dict.fromkeys(name.lower() for name in given if name))

    @property
    def broker_address(self) -> tuple[str, int] | None:
        """(address, port) on which the private Redis takes other hosts' connections, with TLS."""
        return _read_address("NETADMIN_BROKER_LISTEN", self.broker_listen) if self.broker_listen else None

    @property
    def docker_address(self) -> tuple[str, int] | None:
        """(address, port) on which the Docker Engine API is spoken over TLS, with a certificate for each client."""
        return _read_address("NETADMIN_DOCKER_LISTEN", self.docker_listen) if self.docker_listen else None

    @property
    def docker_names(self) -> list[str]:
        """What clients may call this server there, as its certificate says: addresses and plain names."""
        assert self.docker_address is not None
        address = self.docker_address[0]
        own = [] if address in ("0.0.0.0", "::") else [address]
        named = [name.strip("[]") for name in self._names(address)]
        return list(dict.fromkeys([*own, *(name for name in named if _PLAIN_NAME.match(name))]))

    @property
    def docker_tls(self) -> Path:
        """The server's certificate for that, and the authority of ours that signs it and those of the clients."""
        return self.state_dir / "docker-tls"

    @property
    def database(self) -> dict[str, Any] | None:
        """Django's NAME, USER, PASSWORD, HOST and PORT of DATABASE_URL; None for the embedded SQLite."""
        if self.database_url is None:
            return None
        known = _is_url(self.database_url, ("postgres", "postgresql"))
        if not known or len((parts := urlsplit(self.database_url)).path) < 2:
            raise Misconfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name.")
        return {
            "NAME": parts.path[1:],
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            # A percent-encoded path is the folder of a Unix socket.
            "HOST": unquote(parts.hostname or ""),
            "PORT": parts.port or "",
        }

    @cached_property
    def secret_key(self) -> str:
        return self._keep_secret("secret_key")

    @cached_property
    def redis_password(self) -> str:
        """The server's own, of a private Redis that others can reach too."""
        return self._keep_secret("redis_password")

    def _keep_secret(self, name: str) -> str:
        """Made on first use and kept in a file that only its owner can read."""
        path = self.state_dir / name
        try:
            return path.read_text()
        except FileNotFoundError:
            pass
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = path.with_name(f"{name}.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(48))
        try:
            # Two processes may get here at once: the first link wins, and both read it.
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
        return path.read_text()

    @property
    def redis_socket(self) -> Path:
        """Of the private Redis that is started when REDIS_URL is not set."""
        return self.state_dir / "redis" / "redis.sock"

    @property
    def broker_authority(self) -> Path:
        """PEM of the authority that signs the private Redis's certificate."""
        return self.state_dir / "redis" / "tls" / "authority.pem"

    @property
    def broker_url(self) -> str:
        """As kombu spells it."""
        url = self.channel_url
        return f"redis+socket://{url.removeprefix('unix://')}" if url.startswith("unix://") else url

    @property
    def channel_url(self) -> str:
        """As redis-py spells it."""
        # Its Unix socket is closed to others by its mode; once it listens elsewhere too, nobody comes in unnamed.
        login = f":{self.redis_password}@" if self.broker_listen else ""
        return self.redis_url or f"unix://{login}{self.redis_socket}"

    @property
    def web_socket(self) -> Path:
        """Requests that come over it are the local administrator's; mode 0600."""
        return self.state_dir / "web.sock"

    @property
    def host_dir(self) -> Path:
        """What the processes of this machine's own host keep."""
        return self.state_dir / "hosts" / self.host_name

    @property
    def worker_configuration(self) -> Path:
        return self.host_dir / "worker.json"

    @property
    def dns_socket(self) -> Path:
        return self.host_dir / "dns.sock"

    @property
    def ports_socket(self) -> Path:
        return self.host_dir / "ports.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.host_dir / "supervisor.sock"
