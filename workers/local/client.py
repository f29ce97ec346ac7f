"""Requests to a service of this host: one JSON object a line, one reply to each."""

import contextlib
import json
import socket
import threading
import time
from typing import Any, ClassVar

import msgspec

from workers.tracing import mark


class LineError(Exception):
    """The service was not reached or refused; the text is a sentence."""


class LineClient:
    """Blocking; reconnects by itself. Every request may be repeated without harm, and is, once."""

    service: ClassVar[str]
    """What it is called in a sentence."""
    failure: ClassVar[type[LineError]]

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        """`path`: the control socket; `timeout`: seconds that one request may take."""
        self._path = path
        self.timeout = timeout
        self._connection: socket.socket | None = None
        self._turn = threading.Lock()

    def close(self) -> None:
        with self._turn:
            self._drop()

    def change(self, request: dict[str, Any]) -> dict[tuple[str, str], str]:
        """Ask for a change; the entries that do not work and why, by key."""
        reply = self.ask(request, self.timeout)
        return {(failure["kind"], failure["id"]): failure["error"] for failure in reply["failed"]}

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        line = mark(msgspec.json.encode(request)) + b"\n"
        with self._turn:
            reply = self._exchange(line, timeout)
        if not reply.pop("ok"):
            raise self.failure(reply["error"])
        return reply

    def _exchange(self, line: bytes, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        fresh = self._connection is None
        while True:
            try:
                return self._try(line, deadline)
            except TimeoutError as error:
                self._drop()
                raise self.failure(
                    f"The {self.service} on {self._path} did not answer within {timeout:g} s; see its log."
                ) from error
            except (OSError, EOFError) as error:
                self._drop()
                if fresh:
                    why = str(error) or "it hung up"
                    raise self.failure(
                        f"The {self.service} on {self._path} cannot be reached ({why}); start it."
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
