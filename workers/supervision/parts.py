"""The processes of a host: name service, port service, supervisor of containers, and the worker."""

import signal
import sys
from functools import partial
from pathlib import Path

from workers.supervision.children import Child
from workers.supervision.readiness import listens

STREAMS = "NETADMIN_STREAMS"
"""The variable by which the supervisor of containers gets the broker's URL: everybody can read a command line."""


def services(folder: Path, host: str, redis_url: str) -> list[Child]:
    """What runs on, whatever happens to the worker."""
    names, doors, supervisor = folder / "dns.sock", folder / "ports.sock", folder / "supervisor.sock"
    return [
        Child(
            "names",
            module("workers.dns", "--socket", str(names), "--memory", str(folder / "names.sqlite3")),
            partial(listens, names),
            farewell=signal.SIGTERM,
        ),
        Child(
            "ports",
            module("workers.publishing", "--socket", str(doors), "--memory", str(folder / "ports.sqlite3")),
            partial(listens, doors),
            farewell=signal.SIGTERM,
        ),
        Child(
            "supervisor",
            module(
                "workers.runtimes", "--socket", str(supervisor), "--state-dir", str(folder), "--host", host
            ),
            partial(listens, supervisor),
            environment={STREAMS: redis_url},
            # It ends the processes of all containers first, each with its own time.
            stop_within=30.0,
            farewell=signal.SIGTERM,
        ),
    ]


def worker(configuration: Path) -> Child:
    return Child("host worker", module("workers", "--config", str(configuration)), at_once)


async def at_once() -> bool:
    return True


def module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
