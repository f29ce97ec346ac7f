"""`python -m workers.runtimes`: the supervisor of one host's containers, in the foreground.

SIGTERM ends everything in order and exits; SIGINT is left to whoever launched it.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from workers import tracing
from workers.descriptors import raise_limit
from workers.images.places import folder_of
from workers.life import Life
from workers.runtimes.control import Control, bind
from workers.runtimes.crun import Crun
from workers.runtimes.errors import Refusal
from workers.runtimes.keeping import Keeping
from workers.runtimes.layers import Layers
from workers.runtimes.logs import Logs
from workers.runtimes.orphans import take_in_orphans
from workers.runtimes.processes import collect_orphans
from workers.runtimes.protocol import check_name
from workers.runtimes.records import Records
from workers.runtimes.sessions import Sessions
from workers.runtimes.supervisor import Supervisor
from workers.runtimes.sweep import Sweeper

log = logging.getLogger("workers.runtimes")
STREAMS = "NETADMIN_STREAMS"
"""Variable with the URL of the Redis through which the streams of sessions go; without it there are no sessions."""


class _Loop(asyncio.SelectorEventLoop):
    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        """Without asyncio's thread pool: a process that forks must have one thread.

        Only the connection to Redis resolves a name, and only where its URL has no address.
        """
        return socket.getaddrinfo(*args, **options)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workers.runtimes", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="control socket to listen on")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder for records and logs")
    parser.add_argument("--host", required=True, help="name of this host")
    return parser.parse_args(arguments)


def _lock(folder: Path) -> int:
    """Two supervisors of one folder would each adopt the other's processes. Raises Refusal."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Refusal(f"Another supervisor works in {folder}; stop it first.") from None
    return descriptor


def _of_this_boot(folder: Path, boot: str) -> Path:
    """What an earlier one left says nothing about this one."""
    for path in folder.glob("*"):
        if path.name != boot:
            shutil.rmtree(path, ignore_errors=True)
    return folder / boot


async def supervise(options: argparse.Namespace) -> None:
    records, logs = Records(options.state_dir / "run"), Logs(options.state_dir / "logs")
    sweeper = Sweeper()
    keeping = Keeping(options.state_dir / "keeper.sock")
    layers = Layers(options.state_dir / "layers", folder_of(options.state_dir))
    crun = Crun(_of_this_boot(options.state_dir / "crun", records.boot), layers)
    supervisor = Supervisor(records, logs, sweeper, keeping, crun)
    # No time limit of the client's own: a subscription is silent for as long as its user is.
    # Out of the environment at once: what is started from here shall not find it there.
    url = os.environ.pop(STREAMS, None)
    redis = Redis.from_url(url, socket_timeout=None) if url else None
    control = Control(supervisor, Sessions(redis, options.host, supervisor, sweeper, logs), sweeper, logs)

    async def terminate() -> None:
        await control.shut_down(None)
        control.finish()

    tasks = [asyncio.create_task(Life().show_for_ever())]
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: tasks.append(asyncio.create_task(terminate())))
    # A handler, not SIG_IGN, which children would inherit.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    take_in_orphans()
    loop.add_signal_handler(signal.SIGCHLD, collect_orphans)
    supervisor.adopt()
    await control.serve(bind(options.socket))
    options.socket.unlink(missing_ok=True)
    if redis is not None:
        await redis.aclose()
    # The handler goes with the loop: a launcher that asks twice shall not turn an orderly end into a killed one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def main() -> int:
    options = parse_arguments(sys.argv[1:])
    tracing.configure("supervisor")
    try:
        check_name("host", options.host)
        lock = _lock(options.state_dir)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    # Each process costs three.
    raise_limit()
    with contextlib.closing(os.fdopen(lock)), asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(supervise(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
