"""`python -IS keeper.py SOCKET`: holds descriptors for the supervisor of containers, so that they outlive it.

The end of a terminal, or the only writer of a pipe, must not vanish when the supervisor is killed: whoever is at the
other end would be hung up on. One message a packet: `keep NAME` with a descriptor, `drop NAME`, `take NAME`, answered
by a packet with the descriptor, if it is held. It ends when it holds nothing and nobody is connected.

Nothing of ours is imported: it shall start quickly, stay small, and never have a reason to be restarted.
"""

import os
import selectors
import socket
import sys

PACKET = 512
"""Bytes; a name has 255 at most."""


class Keeper:
    def __init__(self, path: str) -> None:
        self._held: dict[bytes, int] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(path)
        self._listener.listen(8)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until there is nothing to hold for anybody."""
        connected = True
        while connected or self._held:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj)
            connected = len(self._selector.get_map()) > 1

    def _serve(self, connection: socket.socket) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(connection, PACKET, 1)
            if packet:
                connection.sendmsg(*self._answer(packet, descriptors))
                return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()

    def _answer(
        self, packet: bytes, descriptors: list[int]
    ) -> tuple[list[bytes], list[tuple[int, int, bytes]]]:
        verb, _, name = packet.partition(b" ")
        if verb == b"take":
            held = self._held.get(name)
            if held is None:
                return [b"none"], []
            return [b"taken"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held.to_bytes(4, sys.byteorder))]
        before = self._held.pop(name, None)
        if before is not None:
            os.close(before)
        if verb == b"keep":
            self._held[name] = descriptors[0]
        return [b"done"], []


def main(path: str) -> None:
    os.umask(0o177)
    keeper = Keeper(path)
    # Whoever started it waits for this before it connects.
    os.close(1)
    keeper.serve()


if __name__ == "__main__":
    main(sys.argv[1])
