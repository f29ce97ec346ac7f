"""What the product consists of on one machine: the children, their order, and how each shows that it is ready."""

import signal
from functools import partial
from pathlib import Path

from netadmin.environment import Environment
from netadmin.launcher.redis import find_redis, listen_to_hosts, make_redis_command
from workers.supervision.children import Child
from workers.supervision.parts import at_once, module, services, worker
from workers.supervision.readiness import answers_at_all, answers_http, answers_ping

STOP_ORDER = (("web",), ("server worker", "host worker"), ("supervisor",), ("names", "ports"), ("redis",))
"""Whoever brings changes in goes first, the broker last."""


def redis(environment: Environment) -> list[Child]:
    """The private broker; none when an outside one is given."""
    if environment.redis_url:
        return []
    path = environment.redis_socket
    others = listen_to_hosts(environment)
    command = make_redis_command(find_redis(tls=bool(others)), path, others)
    answers = partial(answers_ping, path)
    return [Child("redis", command, answers, alive=partial(answers_at_all, path), farewell=signal.SIGTERM)]


def host_services(environment: Environment) -> list[Child]:
    """Names and processes of this machine's host: needed before its worker, and independent of each other."""
    return services(environment.host_dir, environment.host_name, environment.channel_url)


def workers(environment: Environment) -> list[Child]:
    """The host's worker, and the server's with its clock."""
    return [
        worker(environment.worker_configuration),
        Child("server worker", module("netadmin.worker"), at_once),
    ]


def web(environment: Environment) -> list[Child]:
    return [Child("web", module("netadmin.web"), partial(answers_http, environment.web_socket))]


def setup() -> list[str]:
    return module("netadmin.setup")


def demo() -> list[str]:
    return module("netadmin.demo")


def log_folder(environment: Environment) -> Path:
    return environment.state_dir / "log"
