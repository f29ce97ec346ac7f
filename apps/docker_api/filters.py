"""What the engine's filters mean."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from apps.api.views.networks import read_label_filters
from apps.docker_api.refusals import EngineError
from apps.networks.rules import has_labels

LONGEST = 128
"""Characters of a pattern."""
REPEATS = 3
"""Repetitions in a pattern: each multiplies the time by the length of the name."""
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?\Z")


def matches(wanted: Iterable[str], text: str) -> bool:
    """Whether one of `wanted` is in the text, as a part of it or as a pattern; nothing wanted fits everything.

    Patterns without groups only, and with few repetitions: whoever asks must not keep the server busy for long.
    """
    listed = list(wanted)
    return not listed or any(pattern in text or _find(pattern, text) for pattern in listed)


def _find(pattern: str, text: str) -> bool:
    if (
        len(pattern) > LONGEST
        or re.search(r"[(){}\\]", pattern)
        or len(re.findall(r"[*+?]", pattern)) > REPEATS
    ):
        return False
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def fits_labels(wanted: Iterable[str], unwanted: Iterable[str], labels: Mapping[str, str]) -> bool:
    """Every one of the wanted `key` and `key=value` must be there, and none of the others."""
    listed = read_label_filters(wanted)
    return has_labels(labels, listed) and not any(
        has_labels(labels, read_label_filters([one])) for one in unwanted
    )


def read_boolean(name: str, values: Iterable[str]) -> bool:
    listed = set(values)
    if listed <= {"true", "1"}:
        return True
    if listed <= {"false", "0"}:
        return False
    raise EngineError(
        400, f'invalid value for filter \'{name}\', must be "true" (or "1"), or "false" (or "0")'
    )


def read_time(text: str, now: datetime) -> datetime:
    """Seconds since 1970, a time, or how long ago (1h30m)."""
    try:
        found = _read_time(text, now)
    except (ValueError, OverflowError):
        # There are years of four digits only.
        found = None
    if found is None:
        raise EngineError(400, f'failed to parse value as time or duration: "{text}"')
    return found


def _read_time(text: str, now: datetime) -> datetime | None:
    if re.fullmatch(r"-?[0-9]{1,11}(\.[0-9]{1,9})?", text):
        return datetime.fromtimestamp(float(text), UTC)
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text.lstrip("-"):
        apart = timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
        return now + apart if text.startswith("-") else now - apart
    if found := _STAMP.match(text):
        return datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{(found[3] or 'Z')}").astimezone(UTC)
    return None
