"""The OpenAPI description: what every operation can answer besides its success."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.permissions import AllowAny

from apps.api.rehearsals import PARAMETER, Rehearsal
from apps.api.representations import Accepted, AcceptedTogether, Error

REFUSALS = {
    "400": "The input is wrong.",
    "401": "Nobody is signed in.",
    "403": "The role does not allow it, or the rules never do.",
    "404": "There is no such object.",
    "409": "The present state forbids it, or the host could not do it.",
    "429": "Too many tries; wait a minute.",
    "503": "The host does not answer.",
}
SYNCHRONOUS = {"pools", "grants", "tokens", "failures", "exec", "hosts", "images", "join", "session", "plan"}
"""Changes that need no host's state, so that there is nothing to wait for."""
MANY = {("endpoints", "POST"), ("endpoints", "DELETE")}
"""Changes of a list of objects at once."""
MEASURED = ("check", "links", "matrix", "resolve", "rights", "statistics")
"""What is asked of objects that parameters name."""


PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    enum=["respond-async", "wait"],
    description="respond-async: answer at once; wait: 503 instead of 202 when the host is silent.",
)
REHEARSAL = OpenApiParameter(
    PARAMETER,
    bool,
    description="Change nothing; answer {dry_run: true, plans: [HostPlan]}, as /hosts/{id}/plan/ has it.",
)


class Schema(AutoSchema):
    def get_auth(self) -> list[dict[str, list[str]]]:
        # A session, or a token. Over the Unix socket neither is needed, for which OpenAPI has no word.
        return [] if self.view.permission_classes == [AllowAny] else [{"token": []}, {"session": []}]

    def get_override_parameters(self) -> list[Any]:
        found = []
        if self._can_be_rehearsed():
            found.append(REHEARSAL)
        if self._changes_a_host():
            found.append(PREFER)
        return found

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        # Here and not in get_response_serializers, which @extend_schema replaces.
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        answers = {code: OpenApiResponse(Error, description=REFUSALS[code]) for code in self._refusals()}
        if self._changes_a_host():
            accepted = AcceptedTogether if self._takes_many() else Accepted
            answers["202"] = OpenApiResponse(accepted, description="Recorded; the host has not answered yet.")
        for code, answer in answers.items():
            bodies[code] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                answer, code, direction=direction
            )
        if self._can_be_rehearsed():
            rehearsal = self._get_response_for_code(  # type: ignore[no-untyped-call]
                OpenApiResponse(Rehearsal, description="Or of a dry run."), "200", direction=direction
            )
            bodies["200"] = _either(bodies.get("200"), rehearsal)
        return dict(sorted(bodies.items()))

    def _get_paginator(self) -> Any:
        # What is made of a list comes as a list.
        return super()._get_paginator() if self.method == "GET" else None  # type: ignore[no-untyped-call]

    def _get_request_body(self, direction: Literal["request", "response"] = "request") -> Any:
        if self.method != "DELETE" or not self._takes_many():
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # The framework knows no body of this method.
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"

    def _takes_many(self) -> bool:
        return (self.path.strip("/").split("/")[-1], self.method) in MANY

    def _get_serializer_name(self, serializer: Any, direction: str, bypass_extensions: bool = False) -> str:
        return str(super()._get_serializer_name(serializer, direction, bypass_extensions)).removesuffix("Out")

    def _can_be_rehearsed(self) -> bool:
        return getattr(self.view, "action", "") in getattr(self.view, "rehearsed", ())

    def _changes_a_host(self) -> bool:
        words = self.path.strip("/").split("/")
        return self.method in ("POST", "DELETE") and not SYNCHRONOUS.intersection(words)

    def _refusals(self) -> list[str]:
        codes = ["400", "401"]
        if (
            "{id}" in self.path
            or self.method == "POST"
            or self._takes_many()
            or self.path.rstrip("/").endswith(MEASURED)
        ):
            codes.append("404")
        if self.method != "GET" or self.path.rstrip("/").endswith("check"):
            codes += ["403", "409"]
        if self.view.throttle_classes:
            codes.append("429")
        if "images" in self.path.split("/"):
            codes.append("404")
        if (
            self.method != "GET"
            or self.path.rstrip("/").endswith(("logs", "top"))
            or "images" in self.path.split("/")
        ):
            codes += ["409", "503"]
        return sorted(set(codes))


def _either(usual: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    """One response with the content of two: an action may answer the same status with different things."""
    if usual is None:
        return other
    shapes = [each["content"]["application/json"]["schema"] for each in (usual, other)]
    return {**usual, "content": {"application/json": {"schema": {"oneOf": shapes}}}}
