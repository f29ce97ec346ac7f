"""For whoever watches the server: an orchestrator, a load balancer, a person in need."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

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
