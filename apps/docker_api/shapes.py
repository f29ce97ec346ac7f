"""Reading the engine's loosely shaped JSON: what is missing or null is empty, what has another type is refused."""

from collections.abc import Mapping
from typing import Any

from apps.docker_api.refusals import EngineError

LARGEST = 2**31 - 1
"""Of a number, whatever its sign: what databases keep."""


def read_text(given: Mapping[str, Any], name: str) -> str:
    return str(_read(given, name, str, ""))


def read_list(given: Mapping[str, Any], name: str) -> list[Any]:
    return list(_read(given, name, list, []))


def read_object(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(_read(given, name, dict, {}))


def read_objects(given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [read_object({name: each}, name) for each in read_list(given, name)]


def read_texts(given: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts; a single text is a list of one."""
    value = given.get(name)
    listed = [value] if isinstance(value, str) else read_list(given, name)
    if not all(isinstance(each, str) for each in listed):
        raise EngineError(400, f"invalid JSON: {name} must hold texts")
    return listed


def read_map(given: Mapping[str, Any], name: str) -> dict[str, str]:
    found = read_object(given, name)
    if not all(isinstance(value, str) for value in found.values()):
        raise EngineError(400, f"invalid JSON: {name} must hold texts")
    return found


def read_number(given: Mapping[str, Any], name: str) -> int:
    value = int(_read(given, name, int, 0))
    if abs(value) > LARGEST:
        raise EngineError(400, f"invalid JSON: {name} is out of range")
    return value


def _read(given: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise EngineError(400, f"invalid JSON: cannot use this value for {name}")
    return value
