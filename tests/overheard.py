"""What goes through the broker, as whoever owns it hears it, and what they can do with it."""

import ast
import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')


@contextmanager
def overhearing(broker: redis.Redis, queue: str) -> Iterator[Callable[[], list[bytes]]]:
    """Yields what tells the messages that were put into the queue since the last call.

    https://redis.io/docs/latest/commands/monitor/; its lines quote as Python does.
    """
    with broker.monitor() as monitor:

        def read() -> list[bytes]:
            # Redis tells what it did in that order: once this is heard, so is all that was before.
            end = b"end of what is read"
            broker.echo(end)
            found = []
            while True:
                line = monitor.connection.read_response()
                words = [
                    ast.literal_eval(f'"{word.decode()}"').encode("latin-1") for word in _WORD.findall(line)
                ]
                if words == [b"ECHO", end]:
                    return found
                if words[0].upper() == b"LPUSH" and words[1] == queue.encode():
                    found.append(words[2])

        yield read


def envelope_of(message: bytes) -> dict[str, str]:
    """What Celery's message brings a host."""
    arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    (envelope,) = arguments
    return dict(envelope)


def bring(message: bytes, envelope: Any) -> bytes:
    """The same message with something else in it."""
    read = json.loads(message)
    arguments, keywords, besides = json.loads(base64.b64decode(read["body"]))
    body = json.dumps([[envelope, *arguments[1:]], keywords, besides]).encode()
    return json.dumps({**read, "body": base64.b64encode(body).decode()}).encode()
