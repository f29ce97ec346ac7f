"""`--change` of an import: the lines of a Dockerfile that say what an image runs. Pure."""

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from workers.images.errors import ImageError

_PORT = re.compile(r"[0-9]{1,5}(/(tcp|udp|sctp))?")


def read_changes(lines: Iterable[str]) -> dict[str, Any]:
    """The `config` of an image's JSON. Raises ImageError."""
    config: dict[str, Any] = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not rest:
            raise ImageError(f"The change {line!r} says nothing: write INSTRUCTION VALUE.")
        match word.upper():
            case "CMD":
                config["Cmd"] = _command(rest)
            case "ENTRYPOINT":
                config["Entrypoint"] = _command(rest)
            case "ENV":
                config["Env"] = merge_env(config.get("Env") or [], _pairs(rest))
            case "LABEL":
                config.setdefault("Labels", {}).update(_pairs(rest))
            case "WORKDIR":
                config["WorkingDir"] = rest if rest.startswith("/") else f"/{rest}"
            case "USER":
                config["User"] = rest
            case "EXPOSE":
                config.setdefault("ExposedPorts", {}).update({_port(each): {} for each in rest.split()})
            case _:
                raise ImageError(
                    f"{word} is not a valid change command; CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER and WORKDIR are."
                )
    return config


def merge_env(lines: Iterable[str], more: dict[str, str]) -> list[str]:
    """`NAME=value` lines with those variables changed or added."""
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    return [f"{name}={value}" for name, value in {**known, **more}.items()]


def _command(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        return ["/bin/sh", "-c", text]
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return words
    return ["/bin/sh", "-c", text]


def _pairs(text: str) -> dict[str, str]:
    """`A=1 B="2 3"`, or the old form `A value`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ImageError(f"The change {text!r} has an open quotation.") from error
    if "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    if not all("=" in word for word in words):
        raise ImageError(f"The change {text!r} is not NAME=VALUE.")
    return dict(word.split("=", 1) for word in words)


def _port(text: str) -> str:
    if not _PORT.fullmatch(text):
        raise ImageError(f"{text!r} is not a port: write NUMBER or NUMBER/udp.")
    return text if "/" in text else f"{text}/tcp"
