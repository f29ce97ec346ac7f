"""How a waiting request hears of the end: a Redis list per question that is pushed to once and popped once.

A list, not a channel: an answer that comes before anybody waits is kept until it is taken or expires.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import redis

from apps.delivery.models import Operation
from netadmin.environment import Environment

log = logging.getLogger(__name__)
KEPT = 60
"""Seconds after which an answer that nobody took is dropped."""
AT_ONCE, PATIENCE = 5.0, 5.0
"""Seconds for which Redis is asked to wait in one go, and how much later it must have said that there is nothing: who
waits for longer waits in several goes, and so does not wait for a Redis that hangs or a connection that is dead."""


@cache
def _redis() -> redis.Redis:
    # Each of the threads that answer requests may wait at once, which is more than redis-py's default of connections.
    url, patience = Environment.read().channel_url, AT_ONCE + PATIENCE
    return redis.Redis.from_url(
        url, socket_timeout=patience, socket_connect_timeout=PATIENCE, max_connections=1000
    )


def connection() -> redis.Redis:
    """The one through which answers come."""
    return _redis()


def key_of(question: object) -> str:
    """A host's answer has the host in it: its login may write no other."""
    return f"netadmin:answer:{question}"


def write_answer(operation: Operation) -> str:
    return f"{operation.outcome} {operation.code or '-'} {operation.message}"


def read_answer(operation: Operation, text: str) -> None:
    """The inverse: fill in what became of it."""
    operation.outcome, code, operation.message = text.split(" ", 2)
    operation.code = "" if code == "-" else code


def give_answers(texts: Mapping[Any, str]) -> None:
    """Wake whoever waits for one of these questions. Without Redis nobody does, and the record has the answers all
    the same."""
    if not texts:
        return
    try:
        with _redis().pipeline() as pipe:
            for question, text in texts.items():
                pipe.lpush(key_of(question), text)
                pipe.expire(key_of(question), KEPT)
            pipe.execute()
    except redis.RedisError as error:
        log.warning("an answer could not be given: %s", error)


def take_first(keys: Sequence[str], timeout: float) -> tuple[bytes, bytes] | None:
    """The key of a list and what was taken from it, of the first that has something; None after `timeout` seconds.

    Raises redis.RedisError.
    """
    until = time.monotonic() + timeout
    while (left := until - time.monotonic()) > 0:
        # Redis takes what is next to nothing for no limit.
        found = _redis().blpop(keys, timeout=max(0.01, min(left, AT_ONCE)))
        if found is not None:
            return cast(tuple[bytes, bytes], found)
    return None


def await_answer(question: object, timeout: float) -> str | None:
    """The answer, or None after `timeout` seconds or when Redis cannot be reached."""
    found = await_either([question], timeout)
    return found and found[1]


def await_either(questions: Sequence[object], timeout: float) -> tuple[str, str] | None:
    """The question that was answered first, and its answer."""
    try:
        found = take_first([key_of(question) for question in questions], timeout)
    except redis.RedisError:
        return None
    if found is None:
        return None
    key, text = (part.decode() for part in found)
    return key.removeprefix(key_of("")), text
