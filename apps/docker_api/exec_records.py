"""Commands that clients of the engine run in containers: made first, started later, asked about afterwards.

Kept in Redis for an hour after the last change, as no part of the record of what should be.
"""

import json
import secrets
from dataclasses import asdict, dataclass, replace

import redis
from django.conf import settings

from apps.docker_api.refusals import EngineError

KEPT = 3600
"""Seconds."""


@dataclass(frozen=True)
class Exec:
    id: str
    container: str
    command: tuple[str, ...]
    env: dict[str, str]
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool
    columns: int = 80
    rows: int = 24
    user: str = ""
    working_dir: str = ""
    detached: bool = False
    started: bool = False
    running: bool = False
    exit_code: int | None = None


def new_id() -> str:
    return secrets.token_hex(32)


def keep(made: Exec) -> Exec:
    with _redis() as connection:
        connection.set(_key(made.id), json.dumps(asdict(made)), ex=KEPT)
    return made


def find(identity: str) -> Exec:
    with _redis() as connection:
        text = connection.get(_key(identity))
    if text is None:
        raise EngineError(404, f"No such exec instance: {identity}")
    given = json.loads(text)
    return Exec(**{**given, "command": tuple(given["command"])})


def end(identity: str, code: int | None) -> Exec:
    """It has ended; without a code, nobody knows how."""
    return keep(replace(find(identity), running=False, exit_code=code))


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.ENVIRONMENT.channel_url)


def _key(identity: str) -> str:
    return f"netadmin:docker-exec:{identity}"
