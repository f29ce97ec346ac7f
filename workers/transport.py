"""How Celery speaks to Redis, on both sides: kombu's own transport, with one client kept for what it publishes.

kombu makes a redis-py client for each message and drops it again: a third of the time that publishing takes.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, redis

SOCKET_PATIENCE = 5.0
"""Seconds that a broker may take to connect, to take a message or to answer; then it counts as away."""
OPTIONS: dict[str, object] = {
    "priority_steps": [0],
    # What is taken from a queue is not kept in Redis until it is done, which costs two round trips before each task:
    # any message may be lost, for the record is what counts, and what it lacks is sent again.
    "ack_emulation": False,
    # A connection may be dead without ever being closed (a broken path, a firewall that has forgotten it, a machine
    # that lost its power): who publishes gives up after this …
    "socket_timeout": SOCKET_PATIENCE,
    "socket_connect_timeout": SOCKET_PATIENCE,
    # … and who waits for messages connects anew when nothing has come for so long, not even that there is none:
    # looked at just as often, so that within 1 + 2 × 5 s whoever was deaf hears again.
    "health_check_interval": 5,
}
"""kombu's options, of which its documentation of the Redis transport tells."""


RECONNECT = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
"""Seconds between tries to reach a broker that is away: the first, by how much more each time, and at most."""


class SoonAgain(Connection):
    """kombu's own waits grow to half a minute: so long a host would do nothing although the broker is back."""

    def ensure_connection(self, *arguments: Any, **options: Any) -> Any:
        return super().ensure_connection(*arguments, **{**RECONNECT, **options})


class Amqp(AMQP):
    """For Celery's `amqp`."""

    Connection = SoonAgain


class KeptClient(redis.Channel):
    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """For as long as the channel has the same connections. Who waits for messages has a client of its own."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class Transport(redis.Transport):
    Channel = KeptClient


def use_kept_clients() -> None:
    """For every app of this process, however its broker's URL is spelt."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__qualname__}"
