"""The supervisor's side of the keeper: started when there is something to keep, and again when it has ended."""

import asyncio
import contextlib
import logging
import os
import select
import socket
import struct
import subprocess
import sys
from pathlib import Path

from workers.runtimes import keeper

log = logging.getLogger(__name__)
PATIENCE = 10.0
"""Seconds for a keeper to answer, or to end."""


class Keeping:
    """What is kept, by the name of its container. All methods block for an instant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, int] = {}
        self._connection: socket.socket | None = None

    def keep(self, container: str, descriptor: int) -> None:
        """Have it held until it is dropped, whatever becomes of this process; the caller keeps it open till then.

        Without a keeper, which is logged, it is open as long as this process is.
        """
        self._kept[container] = descriptor
        try:
            self._tell("keep", container, descriptor)
        except OSError as error:
            log.error("The keeper of descriptors cannot be started: %s", error)

    def drop(self, container: str) -> None:
        if self._kept.pop(container, None) is not None and self._connection is not None:
            with contextlib.suppress(OSError):
                self._exchange(self._connection, "drop", container)

    def take(self, container: str) -> int | None:
        """What an earlier supervisor had kept, to be closed by the caller after `drop`."""
        connection = self._connection or self._connect()
        if connection is None:
            return None
        with contextlib.suppress(OSError):
            descriptor = self._exchange(connection, "take", container)
            if descriptor is not None:
                self._kept[container] = descriptor
            return descriptor
        return None

    def close(self) -> None:
        """When nothing is kept any more: the keeper has ended on return."""
        if self._connection is None:
            return
        pid = _read_peer(self._connection)
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            self._leave()
            _await_reading(descriptor)
            os.close(descriptor)

    def _tell(self, verb: str, container: str, descriptor: int) -> None:
        if self._connection is None and self._connect() is None:
            self._begin()
        assert self._connection is not None
        self._exchange(self._connection, verb, container, descriptor)

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            return None
        self._connection = connection
        asyncio.get_running_loop().add_reader(connection, self._notice)
        return connection

    def _begin(self) -> None:
        self._path.unlink(missing_ok=True)
        command = [sys.executable, "-IS", keeper.__file__, str(self._path)]
        process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        with process.stdout:
            _await_reading(process.stdout.fileno())
        if self._connect() is None:
            raise OSError(f"it ended with status {process.poll()}")

    def _notice(self) -> None:
        """Between two exchanges only its end can be heard: another one takes over what is still open here."""
        self._leave()
        for container, descriptor in list(self._kept.items()):
            self.keep(container, descriptor)

    def _leave(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None

    def _exchange(
        self, connection: socket.socket, verb: str, container: str, descriptor: int | None = None
    ) -> int | None:
        packet = f"{verb} {container}".encode()
        try:
            if descriptor is None:
                connection.send(packet)
            else:
                socket.send_fds(connection, [packet], [descriptor])
            answer, descriptors, _, _ = socket.recv_fds(connection, keeper.PACKET, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            self._leave()
            raise
        if not answer:
            self._leave()
            raise OSError("it has ended")
        return descriptors[0] if descriptors else None


def _await_reading(descriptor: int) -> None:
    # Not select(2), which knows no descriptor beyond 1023.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(PATIENCE * 1000)


def _read_peer(connection: socket.socket) -> int:
    """Its pid (unix(7), SO_PEERCRED)."""
    content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", content)
    return int(pid)
