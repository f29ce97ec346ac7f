"""Names of images, as Docker writes them: `busybox`, `library/busybox:1.36`, `registry.example:5000/tool`. Pure."""

import re

from workers.images.errors import ImageError

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9-]+)*)(?::[0-9]+)?"
_NAME = re.compile(rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
_OFFICIAL = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/")
LONGEST = 255


def complete(text: str) -> str:
    """The familiar form with its tag: `docker.io/library/busybox` is `busybox:latest`. Raises ImageError."""
    name, tag = text, "latest"
    head, colon, tail = text.rpartition(":")
    # A colon before a slash is that of a port.
    if colon and "/" not in tail:
        name, tag = head, tail
    for prefix in _OFFICIAL:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    if len(name) > LONGEST or not _NAME.fullmatch(name) or not _TAG.fullmatch(tag):
        raise ImageError(f"invalid reference format: {text!r} cannot be an image's name.")
    return f"{name}:{tag}"


def digits_of(text: str) -> str | None:
    """The hex digits, when `text` may be an id or its beginning."""
    found = _ID.fullmatch(text)
    return found.group(1) if found else None
