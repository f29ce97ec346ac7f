"""A change that a client of the engine asks for: carried out as all others, and answered when the host has done it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from django.db import models

from apps.common.errors import Unavailable
from apps.delivery.changes import Change, carry_out, carry_out_on_all, refuse_failed
from apps.delivery.models import Operation
from apps.docker_api.requests import Request
from apps.hosts.models import Host

M = TypeVar("M", bound=models.Model)


def change(
    request: Request,
    action: str,
    work: Callable[[Host], M],
    *,
    detail: Mapping[str, Any],
    host: Host | None = None,
    grace: float = 0.0,
) -> M:
    """Do `work` on the request's host, or on `host`; its subject once the host has applied it."""
    asked = Change(actor=request.user, action=action, detail=detail)
    subject, operation = carry_out(asked, host or request.host, work, grace=grace)
    _refuse_unfinished(operation)
    return cast(M, subject)


def change_on_all(
    request: Request,
    action: str,
    work: Callable[[], tuple[M, Sequence[Host]]],
    *,
    detail: Mapping[str, Any],
) -> M:
    """The same for what spans hosts."""
    subject, operation = carry_out_on_all(Change(actor=request.user, action=action, detail=detail), work)
    _refuse_unfinished(operation)
    return cast(M, subject)


def _refuse_unfinished(operation: Operation) -> None:
    """The engine's clients know of no change that is still on its way."""
    who = f"Host {operation.host.name}" if operation.host else "A host"
    refuse_failed(operation)
    if operation.outcome != Operation.Outcome.DONE:
        usual = f"{who} has not answered in time; the change is recorded and happens when it is back."
        raise Unavailable("host_silent", operation.message or usual)
