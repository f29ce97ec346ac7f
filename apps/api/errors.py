"""Every refusal in one shape: {"code", "message", "field"}, and "errors" when several inputs are to blame."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.accounts.doors import SIGN_IN
from apps.api.rehearsals import show_rehearsal
from apps.common.errors import DomainError
from apps.common.failures import explain
from apps.common.fields import given_as
from apps.delivery.rehearsals import Rehearsed

CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "not_json",
    exceptions.NotAuthenticated: "not_signed_in",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "not_json",
}
MESSAGES = {
    "not_signed_in": SIGN_IN,
    "bad_token": "The token is not known here; sign in again.",
    "not_found": "There is nothing at this address.",
}


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The response to an exception in a view; None for what is our own fault."""
    if isinstance(error, Rehearsed):
        return show_rehearsal(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, SuspiciousOperation):
        error = exceptions.ParseError("The request is larger or stranger than is allowed.")
    set_rollback()
    error = explain(error) or error
    if isinstance(error, DomainError):
        return Response(shape(error.code, error.message, given_as(error.field)), status=error.status)
    if isinstance(error, exceptions.ValidationError):
        return Response(_describe_faults(error.detail), status=400)
    if isinstance(error, exceptions.APIException):
        scheme = getattr(error, "auth_header", None)
        headers = {"WWW-Authenticate": scheme} if scheme else {}
        return Response(_describe(error), status=error.status_code, headers=headers)
    return None


def shape(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": _write_out(message), "field": field and _write_out(field)}


def _write_out(text: str) -> str:
    """What is refused may be named in it as it was sent, with half a character that no answer could hold."""
    return text.encode(errors="backslashreplace").decode()


def _describe(error: exceptions.APIException) -> dict[str, Any]:
    detail = error.detail
    given = str(getattr(detail, "code", "error"))
    code = CODES.get(type(error), given)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.NotFound):
        return shape(code, MESSAGES[code])
    return shape(code, str(detail))


def _faults(detail: Any, path: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """(path of the input, what is wrong with it); a path is like subnets.0.gateway."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            inner_path = path if key == "non_field_errors" else f"{path}.{key}" if path else str(key)
            yield from _faults(inner, inner_path)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            leaf = isinstance(inner, exceptions.ErrorDetail)
            yield from _faults(inner, path if leaf else f"{path}.{position}")
    else:
        yield path, detail


def _describe_faults(detail: Any) -> dict[str, Any]:
    faults = [
        shape(_fault_code(text), f"{path}: {text}" if path else str(text), path or None)
        for path, text in _faults(detail)
    ]
    return faults[0] if len(faults) == 1 else {**faults[0], "errors": faults}


def _fault_code(text: exceptions.ErrorDetail) -> str:
    return text.code if text.code in ("unknown_field", "unknown_filter", "bad_page") else "bad_input"


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 outside of any view."""
    if request.path.startswith("/api/"):
        return JsonResponse(shape("not_found", MESSAGES["not_found"]), status=404)
    return render(request, "error.html", {"title": "Not found", "text": MESSAGES["not_found"]}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 outside of any view."""
    text = "The request is larger or stranger than is allowed."
    if isinstance(exception, DisallowedHost):
        text = (
            "This server does not know itself by that name; if it should, add it to NETADMIN_ALLOWED_HOSTS."
        )
    if request.path.startswith("/api/"):
        return JsonResponse(shape("bad_input", text), status=400)
    return render(request, "error.html", {"title": "Bad request", "text": text}, status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a fault of ours, which the log explains; or the database's, which it may be told."""
    code, text, status = "server_error", "The server failed at this request; its log says why.", 500
    # Django calls this while it handles the exception.
    error = sys.exc_info()[1]
    if error is not None and (found := explain(error)):
        code, text, status = found.code, found.message, found.status
    if request.path.startswith("/api/"):
        return JsonResponse(shape(code, text), status=status)
    return render(request, "error.html", {"title": "Server error", "text": text}, status=status)
