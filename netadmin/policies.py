"""What browsers may do with our pages, said in the headers of every answer.

https://www.w3.org/TR/CSP3/. No page of ours runs a script that stands in it, or one from elsewhere. Libraries decide
about the rest: the dashboard's terminal writes style sheets itself, and the admin's scripts compile their attributes.
"""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

CLOSED = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
DATA = f"default-src 'none'; {CLOSED}"
"""For what is no page: nothing in it is to be shown as one."""
PAGE = f"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; {CLOSED}"
ADMIN = f"{PAGE}; script-src 'self' 'unsafe-eval'"
POLICIES = {
    "/admin/": ADMIN,
    "/api/v1/docs": PAGE,
    **dict.fromkeys(("/api/", "/healthz", "/metrics", "/readyz", "/static/"), DATA),
}
"""By the beginning of the path, the first that fits; all else is a page."""
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)
"""https://www.w3.org/TR/permissions-policy/: nothing of ours asks for any of these."""


def policy_of(path: str) -> str:
    return next((policy for start, policy in POLICIES.items() if path.startswith(start)), PAGE)


class Policies(MiddlewareMixin):
    """The rest (nosniff, referrer, opener, frames, HSTS) is Django's own SecurityMiddleware's."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.setdefault("Content-Security-Policy", policy_of(request.path))
        response.setdefault("Permissions-Policy", PERMISSIONS)
        return response
