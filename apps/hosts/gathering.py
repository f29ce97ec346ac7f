"""What a change saves, gathered as it is saved: of what its host is told, nothing need be read again.

Whoever gives a row a new revision does so with `save`, which is listened to, or says `add`. The tests of the server
hold what was gathered against what the record says.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_save

from apps.hosts.models import Host


class Gathered:
    """The instances that were saved. `clear` is False when two of them speak of one row: which one has it as it is now,
    only the record knows."""

    def __init__(self) -> None:
        self._saved: dict[tuple[type[Model], Any], Any] = {}
        self.clear = True

    def add(self, instance: Model) -> None:
        known = self._saved.setdefault((type(instance), instance.pk), instance)
        self.clear = self.clear and known is instance

    def of(self, kind: type[Model], host: Host) -> list[Any]:
        """What the host's newest revision changed of that kind, and is still there."""
        return [
            saved
            for (model, _), saved in self._saved.items()
            if model is kind and saved.pk and saved.host_id == host.pk and saved.revision == host.revision
        ]

    def settle(self, host: Host) -> None:
        """The host has made all of it true: what was saved is shown as it is on record now."""
        for saved in self._saved.values():
            if saved.host_id == host.pk and saved.revision == host.revision:
                saved.applied = True


_open: ContextVar[Gathered | None] = ContextVar("gathered", default=None)


@contextmanager
def gather() -> Iterator[Gathered]:
    gathered = Gathered()
    token = _open.set(gathered)
    try:
        yield gathered
    finally:
        _open.reset(token)


def add(*instances: Model) -> None:
    """What was saved in bulk, of which no signal tells."""
    gathered = _open.get()
    if gathered is not None:
        for instance in instances:
            gathered.add(instance)


def listen_to(kind: type[Model]) -> None:
    post_save.connect(_take, sender=kind, dispatch_uid=f"gather {kind.__name__}")


def _take(instance: Model, **_: Any) -> None:
    add(instance)
