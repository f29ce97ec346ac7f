"""Related rows that are in hand need not be asked for."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model


def keep_related(instance: Model, **rows: Iterable[Model]) -> None:
    """As `prefetch_related` would have found them, by the name of the relation: `instance.NAME.all()` asks nothing."""
    for name, found in rows.items():
        known: Any = getattr(instance, name).all()
        known._result_cache, known._prefetch_done = list(found), True
        instance.__dict__.setdefault("_prefetched_objects_cache", {})[name] = known
