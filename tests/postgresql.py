"""A PostgreSQL cluster of Debian's package, private to a test and gone after it."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        message = "needs Debian's package postgresql"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found[-1]


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Yields a DATABASE_URL over a Unix socket in a folder of its own; the server listens nowhere else."""
    programs = _programs()
    # The server refuses to run as root, and its user cannot enter pytest's folders.
    owner = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory(prefix="netadmin-pg-") as name:
        folder = Path(name)
        os.chown(folder, owner, -1)

        def run(*command: str) -> None:
            subprocess.run(command, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL)

        data = folder / "data"
        run(f"{programs}/initdb", "--auth=trust", "--username=netadmin", "--no-sync", str(data))
        options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=100"
        )
        run(f"{programs}/pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options)
        try:
            run(f"{programs}/createdb", "-h", str(folder), "-U", "netadmin", "netadmin")
            yield f"postgresql://netadmin@{quote(str(folder), safe='')}/netadmin"
        finally:
            run(f"{programs}/pg_ctl", "stop", "-m", "immediate", "-D", str(data))
