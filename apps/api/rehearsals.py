"""Dry runs over HTTP: `?dry_run=1` makes of a change the question what it would do."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from apps.common.errors import Invalid
from apps.delivery.rehearsals import Rehearsed, ask_hosts

PARAMETER = "dry_run"


class PlannedStep(serializers.Serializer[Any]):
    verb = serializers.ChoiceField(["create", "change", "remove"])
    kind = serializers.CharField(help_text="Of kernel object: bridge, sandbox, port, name …")
    text = serializers.CharField(help_text="In words.")


class HostPlanOut(serializers.Serializer[Any]):
    host = serializers.CharField()
    operations = PlannedStep(many=True, help_text="In their order; of very many only the first.")
    total = serializers.IntegerField()
    problem = serializers.CharField(help_text="Why the host could not say, or empty.")


class Rehearsal(serializers.Serializer[Any]):
    """The answer to a dry run that no rule refused."""

    dry_run = serializers.BooleanField()
    plans = HostPlanOut(many=True, help_text="Of each host that would have something to do.")


def wants_rehearsal(request: HttpRequest) -> bool:
    return request.GET.get(PARAMETER, "").lower() in ("1", "true")


def show_rehearsal(rehearsed: Rehearsed) -> Response:
    return Response(Rehearsal({"dry_run": True, "plans": ask_hosts(rehearsed.told)}).data)


class RefuseRehearsal:
    """Middleware: who asks for a dry run must never get the change itself, because a view does not know of such."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        """A view set says by `rehearsed` which of its actions end before anything is kept."""
        if PARAMETER not in request.GET or request.method in SAFE_METHODS:
            return None
        action = getattr(view, "actions", {}).get((request.method or "").lower())
        if action in getattr(getattr(view, "cls", None), "rehearsed", ()):
            return None
        refusal = Invalid("no_dry_run", "There is no dry run of this; nothing was done.", PARAMETER)
        told = {"code": refusal.code, "message": refusal.message, "field": refusal.field}
        return JsonResponse(told, status=refusal.status)
