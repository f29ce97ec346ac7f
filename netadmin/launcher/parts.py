"""What the product consists of on one machine: the children, their order, and how each shows that it is ready."""

import signal
import sys
from functools import partial
from pathlib import Path

from netadmin.environment import Environment
from netadmin.launcher.children import Child
from netadmin.launcher.readiness import answers_http, answers_ping, listens
from netadmin.launcher.redis import find_redis, make_redis_command

STOP_ORDER = (("web",), ("server worker", "host worker"), ("supervisor",), ("names",), ("redis",))
"""Whoever brings changes in goes first, the broker last."""


async def _at_once() -> bool:
    return True


def redis(environment: Environment) -> list[Child]:
    """The private broker; none when an outside one is given."""
    if environment.redis_url:
        return []
    path = environment.redis_socket
    command = make_redis_command(find_redis(), path)
    return [Child("redis", command, partial(answers_ping, path), farewell=signal.SIGTERM)]


def host_services(environment: Environment) -> list[Child]:
    """Names and processes of this machine's host: needed before its worker, and independent of each other."""
    folder = environment.host_dir
    dns = ["--socket", str(environment.dns_socket), "--memory", str(folder / "names.sqlite3")]
    supervisor = ["--socket", str(environment.supervisor_socket), "--state-dir", str(folder)]
    bridge = ["--redis", environment.channel_url, "--host", environment.host_name]
    return [
        Child(
            "names",
            _module("workers.dns", *dns),
            partial(listens, environment.dns_socket),
            farewell=signal.SIGTERM,
        ),
        Child(
            "supervisor",
            _module("workers.runtimes", *supervisor, *bridge),
            partial(listens, environment.supervisor_socket),
            # It ends the processes of all containers first, each with its own time.
            stop_within=30.0,
            farewell=signal.SIGTERM,
        ),
    ]


def workers(environment: Environment) -> list[Child]:
    """The host's worker, and the server's with its clock."""
    configuration = str(environment.worker_configuration)
    return [
        Child("host worker", _module("workers", "--config", configuration), _at_once),
        Child("server worker", _module("netadmin.worker"), _at_once),
    ]


def web(environment: Environment) -> list[Child]:
    return [Child("web", _module("netadmin.web"), partial(answers_http, environment.web_socket))]


def setup() -> list[str]:
    return _module("netadmin.setup")


def demo() -> list[str]:
    return _module("netadmin.demo")


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def log_folder(environment: Environment) -> Path:
    return environment.state_dir / "log"
