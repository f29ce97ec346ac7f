"""Which images a client of the engine asks for."""

import fnmatch
import re
import time
from collections.abc import Callable

from apps.delivery.images import Image
from apps.docker_api.image_shapes import HOST, created
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Filters

SHOW = frozenset({"before", "dangling", "label", "reference", "since", "until"})
PRUNE = frozenset({"dangling", "label", "label!", "until"})
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class Choice:
    def __init__(self, filters: Filters, find: Callable[[str], Image | None]) -> None:
        """`find` resolves what `before` and `since` name. Raises EngineError."""
        self._filters = filters
        self._patterns = filters.get("reference", ())
        self._dangling = [_read_truth(value) for value in filters.get("dangling", ())]
        self._after = [_created(find(name)) for name in filters.get("since", ())]
        self._before = [_created(find(name)) for name in filters.get("before", ())]
        self._before += [_read_time(value) for value in filters.get("until", ())]

    def takes(self, image: Image) -> bool:
        dangling = not image.names
        return (
            all(wanted == dangling for wanted in self._dangling)
            and (not self._patterns or bool(self.choose_names(image.names)))
            and self.fits(image)
        )

    def fits(self, image: Image) -> bool:
        """Whatever it is called, and whether it is."""
        at = _created(image)
        return (
            all(at > other for other in self._after)
            and all(at < other for other in self._before)
            and self._labelled(image)
        )

    def takes_host(self) -> bool:
        """The host's own root directory: it has no age, and no labels."""
        only_names = not self._filters.keys() - {"reference", "dangling"}
        return only_names and True not in self._dangling and bool(self.choose_names((f"{HOST}:latest",)))

    def _labelled(self, image: Image) -> bool:
        labels = image.config.get("Labels") or {}
        return all(_has(labels, text) for text in self._filters.get("label", ())) and not any(
            _has(labels, text) for text in self._filters.get("label!", ())
        )

    def choose_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """A pattern is of the whole name, with its tag or without."""
        return tuple(name for name in names if not self._patterns or self._fits_pattern(name))

    def _fits_pattern(self, name: str) -> bool:
        forms = (name, name.rpartition(":")[0])
        return any(fnmatch.fnmatchcase(form, pattern) for form in forms for pattern in self._patterns)


def _has(labels: dict[str, str], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _created(image: Image | None) -> float:
    return created(image.document.get("created")) if image else 0.0


def _read_truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise EngineError(400, f"invalid filter 'dangling=[{text}]'")
    return _TRUTHS[text.lower()]


def _read_time(text: str) -> float:
    """Seconds since 1970, a time, or how long ago (`10m`, `24h`)."""
    if past := re.fullmatch("([0-9]{1,9})([smh])", text):
        return time.time() - int(past[1]) * _UNITS[past[2]]
    found = float(text) if re.fullmatch("[0-9]{1,11}", text) else created(text)
    if not found:
        raise EngineError(400, f"invalid filter 'until=[{text}]'")
    return found
