"""Questions that a server asks a host outside the flow of changes: logs, exec sessions."""

from typing import Any

from workers.contract.state import Struct


class Question(Struct):
    id: str
    kind: str
    arguments: dict[str, Any] = {}
    at: float = 0.0
    """Seconds since the epoch, by the server's clock."""


class Answer(Struct):
    id: str
    ok: bool
    result: dict[str, Any] = {}
    error: str = ""
    code: int = 0
