"""The control socket of a service of this host."""

import contextlib
import os
import socket
from pathlib import Path


class DoorError(Exception):
    """The socket cannot be had; the text is a sentence."""


def open_door(path: Path, service: str) -> socket.socket:
    """The listening socket, for its owner only; `service`: what answers there, as in "name service"."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.connect(str(path))
        raise DoorError(f"A {service} already answers on {path}; stop that one first.")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        door.bind(str(path))
    except OSError as error:
        door.close()
        raise DoorError(f"The control socket {path} cannot be made: {error.strerror}.") from error
    finally:
        os.umask(before)
    door.listen()
    door.setblocking(False)
    return door
