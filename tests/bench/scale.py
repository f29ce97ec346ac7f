"""One server with many hosts on one overlay: what a change and a beat cost as they become more.

The server's own code on PostgreSQL and Redis, real messages and signatures; the hosts are simulated by one process that
takes their queues, opens what comes as their workers do, and says when. Runs in a process of its own: Django.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.postgresql import running_postgresql

SIZES = (200, 1000)
ENDPOINTS = 20
"""On each host."""
RUNS = 7
BEATS = 200


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="netadmin-scale-") as folder, running_postgresql() as database:
        environment = {
            **os.environ,
            "NETADMIN_STATE_DIR": folder,
            "NETADMIN_HOST_NAME": "h0",
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "netadmin.settings",
        }
        command = [sys.executable, "-m", "tests.bench.scale"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    small, large = (json.loads(line) for line in done.stdout.splitlines())
    by = f"{SIZES[0]} hosts"
    return [
        Figure(
            f"{name}, {SIZES[1]} hosts",
            large[name],
            unit,
            small[name],
            by,
            round(large[name] / small[name], 2),
            RUNS,
        )
        for name, unit in (
            ("connect recorded, CPU", "ms"),
            ("connect recorded, queries", ""),
            ("report taken in and told to all, CPU", "ms"),
            ("report taken in and told to all, queries", ""),
            ("request to the median host", "ms"),
            ("request to the last host", "ms"),
            ("bytes a host and change", "B"),
            ("a beat taken in, CPU", "ms"),
            ("whole list for a host that joins, CPU", "ms"),
            ("whole list for a host that joins", "kB"),
        )
    ]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from netadmin.environment import Environment
    from tests.redis_server import run_redis

    call_command("migrate", verbosity=0)
    with run_redis(Environment.read().redis_socket.parent) as url:
        for size in SIZES:
            print(json.dumps(_measure_size(size, url)), flush=True)


def _measure_size(size: int, url: str) -> dict[str, float]:
    from tests.bench.fleet_record import Record

    record = Record(size, ENDPOINTS)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
        json.dump(record.keys, keys)
        keys.flush()
        command = [sys.executable, "-m", "tests.bench.simulated", url, keys.name, record.network.pk]
        hosts = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert hosts.stdout is not None and hosts.stdout.readline() == "ready\n"
        samples: list[dict[str, float]] = []
        for number in range(RUNS):
            began, sample = time.monotonic(), record.connect(number)
            arrived: dict[str, Any] = json.loads(hosts.stdout.readline())
            sample["request to the median host"] = (arrived["median"] - began) * 1000
            sample["request to the last host"] = (arrived["last"] - began) * 1000
            sample["bytes a host and change"] = arrived["bytes"] / arrived["hosts"]
            samples.append(sample)
        hosts.terminate()
        hosts.wait()
    middle = {name: sorted(sample[name] for sample in samples)[RUNS // 2] for name in samples[0]}
    found = {**middle, **record.beat(BEATS), **record.send_whole_list(Path(url.removeprefix("unix://")))}
    record.forget()
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    main()
