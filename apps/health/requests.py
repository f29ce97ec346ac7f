"""How long requests take, of the REST API, the admin, the dashboard and the Docker Engine API alike."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]
log = logging.getLogger(__name__)
REGISTRY = CollectorRegistry()
BUCKETS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# When an address was asked for the first time would be one more line for each.
disable_created_metrics()  # type: ignore[no-untyped-call]
SECONDS = Histogram(
    "netadmin_request_seconds",
    "From a request to the begin of its answer, by the name of its address.",
    ("route", "method", "status"),
    buckets=BUCKETS,
    registry=REGISTRY,
)


class Timed:
    """An ASGI application whose answers are timed. `inner` leaves in `scope["route"]` which address it was.

    Nothing that a client makes up becomes a label: there are as many as there are addresses of ours.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        began = time.perf_counter()
        # As it came, in plain letters: what is written in percents cannot break a line of the log. Never the query.
        path = (scope.get("raw_path") or b"").decode("latin-1")

        async def send_timed(message: dict[str, Any]) -> None:
            # A stream may go on for hours: what counts is how long its client waited for the first word.
            if message["type"] == "http.response.start":
                took = time.perf_counter() - began
                method = scope["method"] if scope["method"] in METHODS else "other"
                status = int(message["status"])
                SECONDS.labels(scope.get("route", "other"), method, f"{status // 100}xx").observe(took)
                log.info("%s %s: %s in %.1f ms", method, path, status, took * 1000)
            await send(message)

        await self._inner(scope, receive, send_timed)
