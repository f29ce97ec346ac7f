"""Which server to talk to, and as whom.

In this order: NETADMIN_URL and NETADMIN_TOKEN of the environment; the server's own Unix socket, over which
the local root is the administrator; the login stored by `netadmin login`.
"""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from netadmin.cli.errors import Failure
from netadmin.environment import Environment, Misconfigured


@dataclass(frozen=True)
class Target:
    """A server: a Unix socket, or a base URL without trailing slash and perhaps a bearer token."""

    url: str = "http://localhost"
    token: str = ""
    socket_path: str = ""

    @property
    def shown(self) -> str:
        """The address as a person would write it."""
        return self.socket_path or self.url


def check_url(url: str) -> str:
    """The base URL without trailing slash; refuses what is not http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Failure(
            f"{url!r} is not the address of a server; write it as http://HOST:PORT or https://HOST."
        )
    return url.rstrip("/")


def find_login_file() -> Path:
    """Where the login is stored: netadmin/login.json under XDG_CONFIG_HOME, else under ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "netadmin" / "login.json"


def read_login() -> Target | None:
    """The stored login, None when there is none."""
    path = find_login_file()
    try:
        stored = json.loads(path.read_text())
        return Target(url=check_url(stored["url"]), token=str(stored["token"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is damaged; sign in again with `netadmin login URL`.") from error


def write_login(target: Target) -> Path:
    """Store the login so that only its owner can read it, whatever the umask says."""
    path = find_login_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": target.url, "token": target.token}, file)
    draft.replace(path)
    return path


def find_target() -> Target:
    """The server that this command speaks to; refuses with the way out when there is none."""
    url = os.environ.get("NETADMIN_URL", "")
    token = os.environ.get("NETADMIN_TOKEN", "")
    try:
        environment = Environment.read()
    except Misconfigured as error:
        raise Failure(str(error)) from error
    path = environment.web_socket
    if not url and not token and _listens(path):
        return Target(socket_path=str(path))
    login = read_login()
    if url:
        known = login.token if login and login.url == check_url(url) else ""
        return Target(url=check_url(url), token=token or known)
    if token:
        return Target(url=login.url if login else f"http://{environment.listen}", token=token)
    if login:
        return login
    raise _no_server(path)


def _listens(path: Path) -> bool:
    """Whether somebody accepts there: a server that was killed leaves its socket file behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _no_server(path: Path) -> Failure:
    try:
        refused = path.is_socket() and not os.access(path, os.R_OK | os.W_OK)
    except PermissionError:
        refused = True
    if refused:
        return Failure(f"You may not use {path}; run this as root, or sign in with `netadmin login URL`.")
    return Failure(
        "No server runs here; start it with `make run`, or sign in to another with `netadmin login URL`."
    )
