"""A Redis of its own for a test run, on a Unix socket, gone when the run ends."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from netadmin.launcher.redis import find_redis, make_redis_command


@contextmanager
def running_valkey(socket: Path) -> Iterator[None]:
    """Yields once the server answers on `socket`."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(make_redis_command(find_redis(), socket), stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(unix_socket_path=str(socket))
        deadline = time.monotonic() + 10
        while not _answers(client):
            assert process.poll() is None and time.monotonic() < deadline, "the test's Redis does not start"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
