"""Whether a server worker is at work: it says so in Redis with each resync. `python -m netadmin.pulse` asks, for a
container's health check, and says why not."""

import sys
import time
from functools import cache

import redis

from netadmin.environment import Environment

KEY = "netadmin:pulse"
KEPT = 20
"""Seconds; four resyncs. A worker that has not begun one for so long does not take in reports either."""
PATIENCE = 2.0


def reach_redis() -> redis.Redis:
    """For what must not wait: each answer takes PATIENCE at most."""
    return _open(Environment.read().channel_url)


@cache
def _open(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


def give_pulse() -> None:
    """A Redis that is away is said by whoever needs it."""
    try:
        reach_redis().set(KEY, repr(time.time()), ex=KEPT)
    except redis.RedisError:
        return


def read_pulse(client: redis.Redis) -> float | None:
    """Seconds since a worker has given one; None: longer than it is kept."""
    given = client.get(KEY)
    return None if given is None else max(0.0, time.time() - float(given))


def main() -> int:
    try:
        if read_pulse(reach_redis()) is not None:
            return 0
    except redis.RedisError:
        print("The broker cannot be reached.", file=sys.stderr)
        return 1
    print(f"No server worker has been at work for {KEPT} s.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
