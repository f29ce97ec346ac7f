"""`python -m workers.publishing --socket PATH --memory PATH`: run until SIGTERM."""

import argparse
import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

from workers import tracing
from workers.contract.publishing import Binding
from workers.descriptors import raise_limit
from workers.life import Life
from workers.local.door import DoorError, open_door
from workers.local.loops import loop_factory
from workers.local.memory import Memory
from workers.publishing.control import Control
from workers.publishing.service import Service, key_of


def main() -> int:
    arguments = _parse()
    tracing.configure("ports")
    # Two sockets a connection.
    raise_limit()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(arguments.socket, arguments.memory))
    except DoorError as error:
        print(error, file=sys.stderr)
        return 1
    except sqlite3.OperationalError as error:
        print(f"The memory file {arguments.memory} cannot be opened: {error}.", file=sys.stderr)
        return 1
    return 0


async def _run(control: Path, memory: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    door = open_door(control, "port service")
    try:
        service = Service(Memory(memory, Binding, key_of))
        try:
            await service.recall()
            server = await Control(service).serve(door)
            living = asyncio.create_task(Life().show_for_ever())
            await stop.wait()
            living.cancel()
            server.close()
        finally:
            await service.close()
    finally:
        door.close()
        control.unlink(missing_ok=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m workers.publishing", description="The port service of a host."
    )
    parser.add_argument("--socket", type=Path, required=True, help="control socket, made with mode 0600")
    parser.add_argument("--memory", type=Path, required=True, help="file that keeps the ports over a restart")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
