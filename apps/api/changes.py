"""From a request to a change and its answer: done, refused, or accepted and still on its way."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import models
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.roles import account
from apps.api.errors import shape
from apps.api.rehearsals import wants_rehearsal
from apps.api.representations import OperationOut
from apps.common.errors import Unavailable
from apps.delivery.changes import Change, carry_out, carry_out_on_all, carry_out_together, refuse_failed
from apps.delivery.models import Operation
from apps.hosts.models import Host

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Preference:
    """The Prefer header (RFC 7240): how long the caller wants to wait."""

    respond_async: bool
    insists: bool

    @classmethod
    def read(cls, request: Request) -> "Preference":
        words = {word.split("=")[0].strip().lower() for word in request.headers.get("Prefer", "").split(",")}
        return cls(respond_async="respond-async" in words, insists="wait" in words)


def read_change(request: Request, action: str, detail: Mapping[str, Any]) -> Change:
    """What the request asks for: the change itself, or with `?dry_run=1` what it would do."""
    return Change(
        actor=account(request.user), action=action, detail=detail, rehearsal=wants_rehearsal(request._request)
    )


def change(
    request: Request,
    host: Host,
    action: str,
    work: Callable[[Host], M],
    *,
    detail: Mapping[str, Any],
    show: Callable[[M], Any],
    code: int = status.HTTP_200_OK,
    grace: float = 0.0,
) -> Response:
    """Carry `work` out and answer with what `show` makes of its subject, once the host has applied it."""
    preference = Preference.read(request)
    asked = read_change(request, action, detail)
    subject, operation = carry_out(asked, host, work, wait=not preference.respond_async, grace=grace)
    return _answer(preference, cast(M, subject), operation, show, code)


def change_on_all(
    request: Request,
    action: str,
    work: Callable[[], tuple[M, Sequence[Host]]],
    *,
    detail: Mapping[str, Any],
    show: Callable[[M], Any],
    code: int = status.HTTP_200_OK,
) -> Response:
    """The same for what spans hosts; see `delivery.changes.carry_out_on_all`."""
    preference = Preference.read(request)
    asked = read_change(request, action, detail)
    subject, operation = carry_out_on_all(asked, work, wait=not preference.respond_async)
    return _answer(preference, cast(M, subject), operation, show, code)


def change_together(
    request: Request,
    hosts: Collection[Host],
    action: str,
    work: Callable[[Mapping[UUID, Host]], Sequence[M]],
    *,
    details: Sequence[Mapping[str, Any]],
    show: Callable[[Sequence[M]], Any],
    code: int = status.HTTP_200_OK,
) -> Response:
    """The same for many subjects at once; see `delivery.changes.carry_out_together`."""
    preference = Preference.read(request)
    asked = read_change(request, action, {})
    changes = [replace(asked, detail=detail) for detail in details]
    done = carry_out_together(changes, hosts, work, wait=not preference.respond_async)
    return _answer_many(
        preference, [(cast(M, subject), operation) for subject, operation in done], show, code
    )


def _answer_many(
    preference: Preference,
    done: Sequence[tuple[M, Operation]],
    show: Callable[[Sequence[M]], Any],
    code: int,
) -> Response:
    faults = [
        shape(operation.code or "host_failed", f"Item {position + 1}: {operation.message}", str(position))
        for position, (_, operation) in enumerate(done)
        if operation.outcome == Operation.Outcome.FAILED
    ]
    if faults:
        return Response({**faults[0], "errors": faults}, status=status.HTTP_409_CONFLICT)
    pending = [operation for _, operation in done if operation.outcome == Operation.Outcome.PENDING]
    if not pending:
        return Response(show([subject for subject, _ in done]), status=code)
    if preference.insists and not preference.respond_async:
        raise _silent("A host")
    shown = OperationOut([operation for _, operation in done], many=True).data  # type: ignore[arg-type]
    return Response({"operations": shown}, status=status.HTTP_202_ACCEPTED)


def _silent(who: str, why: str = "") -> Unavailable:
    usual = f"{who} has not answered in time; the change is recorded and happens when it is back."
    return Unavailable("host_silent", why or usual)


def _answer(
    preference: Preference, subject: M, operation: Operation, show: Callable[[M], Any], code: int
) -> Response:
    who = f"Host {operation.host.name}" if operation.host else "A host"
    refuse_failed(operation)
    if operation.outcome == Operation.Outcome.DONE:
        return Response(show(subject), status=code)
    if preference.insists and not preference.respond_async:
        raise _silent(who, operation.message)
    return Response({"operation": OperationOut(operation).data}, status=status.HTTP_202_ACCEPTED)
