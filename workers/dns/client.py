"""The other end of the control socket: how the worker tells the name service of its host what there is."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from workers.contract.names import Entry

UPSTREAM_PATIENCE = 5.0
"""Seconds more for `explain`, which may have to wait for the host's servers."""


class NameServiceError(Exception):
    """The name service was not reached or refused; the text is a sentence."""


class NameService:
    """Blocking client; reconnects by itself. Every request may be repeated without harm, and is, once."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        """`path`: the control socket; `timeout`: seconds that one request may take."""
        self._path = path
        self._timeout = timeout
        self._connection: socket.socket | None = None
        self._turn = threading.Lock()

    def update(self, set: Iterable[Entry], delete: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Change entries; `delete` holds ("holder", endpoint id) and ("view", container id).

        Names answer accordingly on return, and sockets in deleted views are closed. Returns the entries that
        do not work and why, by key; ("memory", "") stands for changes that a restart would lose.
        """
        return self._change({"op": "update", "set": list(set), "delete": list(delete)})

    def sync(self, entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
        """Replace everything; returns failures as `update` does."""
        return self._change({"op": "sync", "set": list(entries)})

    def explain(self, view: str, name: str, type: str = "A") -> dict[str, Any]:
        """What the container `view` would be answered: step, network, network_name, answers, rcode."""
        request = {"op": "explain", "view": view, "name": name, "type": type}
        return self._ask(request, self._timeout + UPSTREAM_PATIENCE)

    def stats(self) -> dict[str, int]:
        """Counts since the service started, and what it holds now."""
        return self._ask({"op": "stats"}, self._timeout)

    def close(self) -> None:
        with self._turn:
            self._drop()

    def _change(self, request: dict[str, Any]) -> dict[tuple[str, str], str]:
        reply = self._ask(request, self._timeout)
        return {(failure["kind"], failure["id"]): failure["error"] for failure in reply["failed"]}

    def _ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        line = msgspec.json.encode(request) + b"\n"
        with self._turn:
            reply = self._exchange(line, timeout)
        if not reply.pop("ok"):
            raise NameServiceError(reply["error"])
        return reply

    def _exchange(self, line: bytes, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        fresh = self._connection is None
        while True:
            try:
                return self._try(line, deadline)
            except TimeoutError as error:
                self._drop()
                raise NameServiceError(
                    f"The name service on {self._path} did not answer within {timeout:g} s; see its log."
                ) from error
            except (OSError, EOFError) as error:
                self._drop()
                if fresh:
                    why = str(error) or "it hung up"
                    raise NameServiceError(
                        f"The name service on {self._path} cannot be reached ({why}); start it."
                    ) from error
                # The connection was kept from before: the service may have been restarted since.
                fresh = True

    def _try(self, line: bytes, deadline: float) -> dict[str, Any]:
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._limit(deadline)
            self._connection.connect(self._path)
        self._limit(deadline)
        self._connection.sendall(line)
        parts: list[bytes] = []
        while not (parts and parts[-1].endswith(b"\n")):
            self._limit(deadline)
            part = self._connection.recv(65536)
            if not part:
                raise EOFError
            parts.append(part)
        reply: dict[str, Any] = json.loads(b"".join(parts))
        return reply

    def _limit(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._connection:
            self._connection.settimeout(left)

    def _drop(self) -> None:
        if self._connection:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None
