"""A way to a Unix socket that can go dead as the network's do: nothing gets through any more, and nobody is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Passes on what comes to `path` to `target` and back."""

    def __init__(self, path: Path, target: Path) -> None:
        self._target, self._era = target, 0
        self._open: list[socket.socket] = []
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """The connections that there are stay open and are dead for ever; new ones are as good as any."""
        self._era += 1

    def close(self) -> None:
        for one in (self._door, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._target))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(*pair, self._era), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, era: int) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if era == self._era:
                    sink.sendall(data)
            if era == self._era:
                sink.shutdown(socket.SHUT_WR)


@contextmanager
def run_relay(path: Path, target: Path) -> Iterator[Relay]:
    relay = Relay(path, target)
    try:
        yield relay
    finally:
        relay.close()
