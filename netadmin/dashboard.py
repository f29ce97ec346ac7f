"""The dashboard's one page; which of its places is shown, it decides in the browser."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

PLACES = ("map", "networks", "containers", "connectivity", "hosts", "addresses", "history", "account")
"""Its addresses beside `/`: what `frontend/src/app/router.tsx` has."""


@require_safe
@ensure_csrf_cookie
def show_dashboard(request: HttpRequest, *places: str | None) -> HttpResponse:
    """What `npm run build` made; where nobody ran it, a page that leads to the admin and the API."""
    try:
        text = (settings.DASHBOARD / "index.html").read_text()
    except FileNotFoundError:
        return render(request, "start.html")
    # The page names its files by their content: it must be asked for anew, they never.
    return HttpResponse(text, headers={"Cache-Control": "no-cache"})
