"""Processor time of one request in the thread that answers it, with a host that answers at once.

The server's own code on SQLite and Redis, without a web server, other processes or a kernel: what is left is what holds
up the rate of changes. Runs in a process of its own: Django.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from tests.bench.figures import Figure

RUNS = 200
WARM = 20
GUEST = {"container": "guest"}
BRIEF = {"name": "brief", "subnets": [{"subnet": "10.248.0.0/24"}]}
FRESH = {"name": "fresh", "networks": [{"network": "wide"}], "start": True}
STEPS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "network create": ("post", "networks/", BRIEF),
    "connect": ("post", "networks/wide/connect/", GUEST),
    "disconnect": ("post", "networks/wide/disconnect/", GUEST),
    "container run": ("post", "containers/", FRESH),
    "container rm": ("delete", "containers/fresh/?force=1", None),
    "network rm": ("delete", "networks/brief/", None),
}
SHORTEST = "the shortest request"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="netadmin-requests-") as folder:
        environment = {
            **os.environ,
            "NETADMIN_STATE_DIR": folder,
            "NETADMIN_HOST_NAME": "node1",
            "DJANGO_SETTINGS_MODULE": "netadmin.settings",
        }
        command = [sys.executable, "-m", "tests.bench.requests"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout)
    shortest = times.pop(SHORTEST)
    return [
        Figure(f"{name}, CPU of the request", took, "ms", shortest, SHORTEST, round(took / shortest, 2), RUNS)
        for name, took in times.items()
    ]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from netadmin.environment import Environment
    from tests.redis_server import run_redis

    call_command("migrate", verbosity=0)
    with run_redis(Environment.read().redis_socket.parent):
        print(json.dumps(ask_in_turn()))


def ask_in_turn() -> dict[str, float]:
    """Medians, in milliseconds. What the played host takes of the thread is not counted."""
    from apps.delivery import sender
    from tests.server.hosts import PlayedWorker, enrol_host
    from tests.server.people import make_client
    from workers.garbage import spare_the_loaded

    enrol_host("node1")
    worker, aside = PlayedWorker(), 0.0

    def publish(*arguments: Any, **named: Any) -> bool:
        nonlocal aside
        began = time.thread_time()
        told = worker.publish(*arguments, **named)
        aside += time.thread_time() - began
        return told

    sender.publish = publish
    client = make_client("admin")

    def ask(verb: str, path: str, body: dict[str, Any] | None) -> float:
        nonlocal aside
        aside, began = 0.0, time.thread_time()
        answer = getattr(client, verb)(f"/api/v1/{path}", body, format="json", SERVER_NAME="localhost")
        took = time.thread_time() - began - aside
        assert answer.status_code < 300, answer.content
        return took * 1000

    ask("post", "networks/", {"name": "wide", "subnets": [{"subnet": "10.9.0.0/16"}]})
    ask("post", "containers/", {"name": "guest", "start": True, "networks": [{"network": "none"}]})
    ask("post", "networks/none/disconnect/", GUEST)
    times: dict[str, list[float]] = {name: [] for name in (*STEPS, SHORTEST)}
    for run in range(WARM + RUNS):
        if run == WARM:
            spare_the_loaded()
            times = {name: [] for name in times}
        for name, step in STEPS.items():
            times[name].append(ask(*step))
        times[SHORTEST].append(ask("get", "me/", None))
    return {name: round(statistics.median(each), 2) for name, each in times.items()}


if __name__ == "__main__":
    main()
