"""A PostgreSQL cluster of Debian's package, private to a test and gone after it."""

import os
import pwd
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        message = "needs Debian's package postgresql"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found[-1]


@dataclass
class Cluster:
    """A server over a Unix socket in a folder of its own; it listens nowhere else."""

    url: str
    """A DATABASE_URL."""
    data: Path
    start: Callable[[], None]

    def find_pid(self) -> int:
        """Of the server. LookupError: there is none now."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError) as error:
            raise LookupError("postgresql") from error
        return pid

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Started again whenever it has ended, as by a service manager."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(0.1):
                try:
                    self.find_pid()
                except LookupError:
                    # Till what it had begun has noticed its end, a new one refuses to start.
                    with suppress(subprocess.CalledProcessError):
                        self.start()

        keeper = threading.Thread(target=keep)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Yields a DATABASE_URL."""
    with running_cluster() as cluster:
        yield cluster.url


@contextmanager
def running_cluster() -> Iterator[Cluster]:
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
        start = partial(
            run,
            f"{programs}/pg_ctl",
            "start",
            "-w",
            "-D",
            str(data),
            "-l",
            str(folder / "log"),
            "-o",
            options,
        )
        start()
        try:
            run(f"{programs}/createdb", "-h", str(folder), "-U", "netadmin", "netadmin")
            yield Cluster(f"postgresql://netadmin@{quote(str(folder), safe='')}/netadmin", data, start)
        finally:
            run(f"{programs}/pg_ctl", "stop", "-m", "immediate", "-D", str(data))
