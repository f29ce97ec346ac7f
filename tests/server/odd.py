"""Bodies in which one value is not what it should be."""

from collections.abc import Iterator
from typing import Any

DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1.5,
    "",
    "a" * 300,
    "0" * 5000,
    "²",
    "١",
    "a\r\nb: c",
    "fe80::1%x",
    "9999-12-31T23:59:59-23:59",
    [],
    [None],
    [{}],
    {},
    {"a": None},
    {"a": [5]},
    DEEP,
)


def spoil(body: Any) -> Iterator[Any]:
    """`body` with each value that is in it, at any depth, replaced by each odd one."""
    yield from VALUES
    places = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for place, inner in list(places):
        for spoilt in spoil(inner):
            copied: Any = body.copy()
            copied[place] = spoilt
            yield copied
