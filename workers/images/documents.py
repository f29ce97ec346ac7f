"""An image's own JSON (OCI image-spec, config.md), which is anybody's: what is taken of it."""

from collections.abc import Iterable
from typing import Any

import msgspec

from workers.images.errors import ImageError

LONGEST = 1 << 20
"""Bytes: hosts tell it whole with each image of a list."""
_DEEPEST = 32
Texts = list[str] | None


class _Config(msgspec.Struct, rename="pascal"):
    cmd: Texts = None
    entrypoint: Texts = None
    env: Texts = None
    labels: dict[str, str] | None = None
    exposed_ports: dict[str, Any] | None = None
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None


class _Roots(msgspec.Struct):
    diff_ids: list[str]


class _Document(msgspec.Struct):
    """What is used of it, here or by the server; what is missing or null is not said."""

    rootfs: _Roots
    config: _Config | None = None
    created: str | None = None
    author: str | None = None
    comment: str | None = None
    architecture: str | None = None
    os: str | None = None
    history: list[dict[str, Any]] | None = None


def read_document(data: bytes) -> dict[str, Any]:
    """The JSON, of the shape that the specification gives it and such that it can be told on. Raises ImageError."""
    if len(data) > LONGEST:
        raise ImageError(f"The image's own JSON is larger than {LONGEST >> 20} MiB.")
    try:
        # Numbers that are none, and half characters (RFC 8259, 8.2), are refused by the reader.
        msgspec.json.decode(data, type=_Document)
        document: dict[str, Any] = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ImageError(f"The image's own JSON is not as it has to be: {error}.") from error
    if _is_deep(document):
        raise ImageError("The image's own JSON is nested more deeply than any image's should be.")
    return document


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
