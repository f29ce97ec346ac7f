"""What the server's worker takes from a message: which task of ours it asks for, and with which arguments.

Hosts put messages into its queue. Whatever Celery does besides because a message says so (another task behind it, by
links, chains, chords or groups; a time at which; a queue for its result) it would do with the server's rights.
"""

from typing import Any

import celery
from celery import Celery
from celery.worker.request import Request

HEADERS = frozenset({"id", "task", "root_id", "parent_id", "argsrepr", "kwargsrepr", "expires"})
"""Of Celery's second protocol: https://docs.celeryq.dev/en/stable/internals/protocol.html"""


class PlainRequest(Request):
    """A message with nothing besides."""

    def __init__(
        self,
        message: Any,
        *,
        body: Any = None,
        headers: dict[str, Any] | None = None,
        decoded: bool = False,
        **options: Any,
    ) -> None:
        arguments, named, _ = body if decoded else message.payload
        said = message.headers if headers is None else headers
        super().__init__(
            message,
            body=(arguments, named, {}),
            headers={name: said[name] for name in HEADERS & said.keys()},
            decoded=True,
            **options,
        )


class Task(celery.Task):  # type: ignore[type-arg]
    """For Celery's `task_cls`."""

    Request = f"{__name__}:{PlainRequest.__qualname__}"


def keep_own_tasks(app: Celery) -> None:
    """Celery's own tasks run what their arguments name."""
    app.finalize()
    for name in [name for name in app.tasks if name.startswith("celery.")]:
        app.tasks.unregister(name)
