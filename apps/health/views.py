"""For whoever watches the server: an orchestrator, a load balancer, a person in need."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.permissions import SignedIn
from apps.health.metrics import scrape
from apps.health.readiness import readiness

FRESH = {"Cache-Control": "no-store"}


@require_safe
def show_alive(request: HttpRequest) -> HttpResponse:
    """/healthz: this process answers. Restarting it for more than that would help nobody."""
    return JsonResponse({"alive": True}, headers=FRESH)


@require_safe
def show_ready(request: HttpRequest) -> HttpResponse:
    """/readyz: 200 when all parts are as they should be, else 503 with a sentence for each that is not."""
    parts = readiness.find()
    reasons = [reason for reason in parts.values() if reason]
    told = {"ready": not reasons, "message": " ".join(reasons), "parts": dict(sorted(parts.items()))}
    return JsonResponse(told, status=503 if reasons else 200, headers=FRESH)


class AnyAnswer(BaseContentNegotiation):
    """Prometheus names formats of its own, newer ones first; there is one here, and JSON for refusals."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class MetricsView(APIView):
    """/metrics: for everybody who may sign in; Prometheus does with a token."""

    permission_classes = [SignedIn]
    content_negotiation_class = AnyAnswer

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(scrape(), content_type=CONTENT_TYPE_PLAIN_0_0_4, headers=FRESH)
