"""Which versions of the Docker Engine API are spoken, and what a path says of its version."""

import re

from apps.docker_api.refusals import EngineError

Version = tuple[int, int]
OLDEST: Version = (1, 41)
NEWEST: Version = (1, 56)
STRUCTURED: Version = (1, 52)
"""From here on a network tells its use, and a container's first network is not repeated on top."""
_PREFIX = re.compile(r"/v(\d{1,3})\.(\d{1,3})(?=/)")


def show_version(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def read_version(path: str) -> tuple[Version, str]:
    """The version that the path asks for, and the path without it; EngineError when nobody speaks that one."""
    found = _PREFIX.match(path)
    if found is None:
        return NEWEST, path
    version = int(found[1]), int(found[2])
    if version > NEWEST:
        raise EngineError(
            400,
            f"client version {show_version(version)} is too new. "
            f"Maximum supported API version is {show_version(NEWEST)}",
        )
    if version < OLDEST:
        raise EngineError(
            400,
            f"client version {show_version(version)} is too old. Minimum supported API version is "
            f"{show_version(OLDEST)}, please upgrade your client to a newer version",
        )
    return version, path[found.end() :]
