"""What hosts have counted of their own work, kept in Redis till the next beat: nothing that a record needs."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
import redis

from netadmin.pulse import reach_redis
from workers.contract.reports import Counts

KEPT = 60
"""Seconds; a host tells with its beat, every ten. What is older says nothing of now."""


def keep_counts(host: str, counts: Counts) -> None:
    """Without Redis they are lost, and told anew with the next beat."""
    try:
        reach_redis().set(_key(host), msgspec.json.encode(counts), ex=KEPT)
    except redis.RedisError:
        return


def read_counts(hosts: Sequence[str]) -> dict[str, Counts]:
    """Of those hosts that have told lately; one question to Redis, whatever their number. Raise redis.RedisError."""
    if not hosts:
        return {}
    kept = reach_redis().mget([_key(host) for host in hosts])
    found: dict[str, Counts] = {}
    for host, text in zip(hosts, kept, strict=True):
        # Of another version of ours, in the minute of an upgrade.
        with suppress(msgspec.DecodeError):
            if text is not None:
                found[host] = msgspec.json.decode(text, type=Counts)
    return found


def _key(host: str) -> str:
    return f"netadmin:counts:{host}"
