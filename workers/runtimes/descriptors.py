"""Reading and writing pipes and terminals on the event loop, without threads."""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any

CHUNK = 32 << 10
"""Bytes read at once, and so the largest frame but for its first byte."""


async def _ready(watch: Callable[..., Any], unwatch: Callable[[int], Any], descriptor: int) -> None:
    event = asyncio.Event()
    watch(descriptor, event.set)
    try:
        await event.wait()
    finally:
        unwatch(descriptor)


async def read_some(descriptor: int) -> bytes:
    """What is there, at most one chunk; empty at the end. The descriptor must not block."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(descriptor, CHUNK)
        except BlockingIOError:
            await _ready(loop.add_reader, loop.remove_reader, descriptor)
        except OSError:
            # EIO: nobody holds the other end of the terminal any more.
            return b""


async def write_all(descriptor: int, data: bytes) -> bool:
    """False: nobody reads any more. The descriptor must not block."""
    loop = asyncio.get_running_loop()
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            await _ready(loop.add_writer, loop.remove_writer, descriptor)
        except OSError:
            return False
    return True


async def cancel(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel and wait, so that no descriptor is closed under a task that reads it."""
    gathered = list(tasks)
    for task in gathered:
        task.cancel()
    await asyncio.gather(*gathered, return_exceptions=True)
