"""A Redis of its own for a test, started as the product starts its private one, and gone when the test ends."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from netadmin.launcher.redis import find_redis, make_redis_command


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """Its URL, once it answers on a Unix socket in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.sock"
    server = subprocess.Popen(make_redis_command(find_redis(), path), stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(unix_socket_path=str(path))
        deadline = time.monotonic() + 20
        while not _answers(client):
            assert server.poll() is None, "Redis ended at once"
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        server.terminate()
        server.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
