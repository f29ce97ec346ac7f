"""`python -m workers.dns --socket PATH --memory PATH [--resolv-conf /etc/resolv.conf]`: run until SIGTERM."""

import argparse
import asyncio
import signal
import socket
import sqlite3
import sys
from pathlib import Path

from workers import tracing
from workers.descriptors import raise_limit
from workers.dns.control import Control
from workers.dns.forward import Forwarder
from workers.dns.memory import Memory
from workers.dns.server import Counters, Resolver
from workers.dns.service import Service
from workers.garbage import spare_the_loaded
from workers.life import Life
from workers.local.door import DoorError, open_door
from workers.local.loops import loop_factory


def main() -> int:
    arguments = _parse()
    tracing.configure("names")
    # Two sockets a sandbox, one a TCP connection, one a forwarded question.
    raise_limit()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(arguments.socket, arguments.memory, arguments.resolv_conf))
    except DoorError as error:
        print(error, file=sys.stderr)
        return 1
    except sqlite3.OperationalError as error:
        print(f"The memory file {arguments.memory} cannot be opened: {error}.", file=sys.stderr)
        return 1
    return 0


async def _run(control: Path, memory: Path, resolv_conf: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    door = open_door(control, "name service")
    try:
        service = Service(Memory(memory), Resolver(Forwarder(resolv_conf), Counters()))
        try:
            await _serve(service, door, stop)
        finally:
            await service.close()
    finally:
        door.close()
        control.unlink(missing_ok=True)


async def _serve(service: Service, door: socket.socket, stop: asyncio.Event) -> None:
    """Answer from memory, then also do as we are told, until `stop` is set."""
    await service.recall()
    spare_the_loaded()
    server = await Control(service).serve(door)
    tending = asyncio.create_task(service.tend())
    living = asyncio.create_task(Life().show_for_ever())
    stopping = asyncio.create_task(stop.wait())
    # `tend` ends only by an error, and then the process shall end with it and be started anew.
    await asyncio.wait((tending, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if tending.done():
        await tending
    tending.cancel()
    living.cancel()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workers.dns", description="The name service of a host.")
    parser.add_argument("--socket", type=Path, required=True, help="control socket, made with mode 0600")
    parser.add_argument("--memory", type=Path, required=True, help="file that keeps the names over a restart")
    parser.add_argument("--resolv-conf", type=Path, default=Path("/etc/resolv.conf"), help="the host's file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
