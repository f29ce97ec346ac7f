"""A PostgreSQL cluster of Debian's package, private to a test and gone after it."""

import os
import pwd
import subprocess
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
def running_postgresql(folder: Path) -> Iterator[str]:
    """Yields a DATABASE_URL over a Unix socket in `folder`; the server listens nowhere else."""
    programs = _programs()
    owner = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else os.geteuid()
    if os.geteuid() == 0:  # The server refuses to run as root.
        os.chown(folder, owner, -1)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001 and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL)

    data = folder / "data"
    run(f"{programs}/initdb", "--auth=trust", "--username=netadmin", "--no-sync", str(data))
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=100"
    run(f"{programs}/pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options)
    try:
        run(f"{programs}/createdb", "-h", str(folder), "-U", "netadmin", "netadmin")
        yield f"postgresql://netadmin@{quote(str(folder), safe='')}/netadmin"
    finally:
        run(f"{programs}/pg_ctl", "stop", "-m", "immediate", "-D", str(data))
