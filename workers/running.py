"""`python -m workers run`: the processes of a host that has joined, in the foreground, until SIGTERM or Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from workers.supervision import parts
from workers.supervision.children import Keeper
from workers.tasks import read_configuration

STOP_ORDER = ("host worker", "supervisor", "ports", "names")


async def run(path: Path, say: Callable[[str], None]) -> None:
    """Names, ports and supervisor first: the worker needs all; each is started again when it ends."""
    configuration = read_configuration(path)
    folder, log_dir = path.parent, path.parent / "log"
    log_dir.mkdir(exist_ok=True, mode=0o700)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    services = parts.services(folder, configuration.host, configuration.redis_url)
    keepers = {child.name: Keeper(child, log_dir, say) for child in [*services, parts.worker(path)]}
    try:
        await asyncio.gather(*(keepers[child.name].start() for child in services))
        await keepers["host worker"].start()
        say(f"host {configuration.host} runs; logs in {log_dir}")
        await ended.wait()
    finally:
        say("stopping …")
        for name in STOP_ORDER:
            await keepers[name].stop()
