"""What all resources share."""

from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from django.utils.datastructures import MultiValueDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.api.texts import check_text
from apps.common.errors import Invalid
from apps.hosts import services as hosts
from apps.hosts.models import Host

M = TypeVar("M", bound=models.Model)
S = TypeVar("S", bound=serializers.Serializer[Any])
MOST = 1000
"""Objects changed by one request."""
HOST = OpenApiParameter("host", OpenApiTypes.STR, description="Name of the host, where names may repeat.")
LABEL = OpenApiParameter("label", OpenApiTypes.STR, many=True, description="key or key=value; all must fit.")


class Resource(viewsets.GenericViewSet[M]):
    """Objects are addressed by id, unique beginning of an id, or name: {id}."""

    lookup_field = "pk"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @property
    def term(self) -> str:
        """How the object was addressed."""
        return storable("id", str(self.kwargs["id"]))


@cache
def kept(serializer: type[S]) -> S:
    """An instance without data and context, to read and show with: a new one copies each of its fields first, which
    takes longer than to use them."""
    return serializer()


def read(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The body, with defaults filled in; ValidationError for a wrong shape."""
    return dict(kept(serializer).run_validation(request.data if request.data is not None else {}))


def read_many(serializer: type[serializers.Serializer[Any]], request: Request) -> list[dict[str, Any]]:
    """The body, a list of such; ValidationError says which of them has a wrong shape."""
    given = serializer(data=request.data, many=True, allow_empty=False, max_length=MOST)  # type: ignore[call-arg]
    given.is_valid(raise_exception=True)
    return [dict(each) for each in given.validated_data]


def storable(name: str, text: str) -> str:
    problem = check_text(text)
    if problem:
        raise ValidationError({name: [f"The text {problem}."]})
    return text


def narrowing_host(request: Request) -> Host | None:
    """The host in ?host=; None: all."""
    name = request.query_params.get("host")
    return hosts.find(storable("host", name), "") if name else None


def chosen_host(request: Request, name: str | None) -> Host:
    """The host on which something is made: as the body or ?host= says, else the server's own."""
    wanted = name or request.query_params.get("host") or None
    return hosts.find(storable("host", wanted) if wanted else None, settings.ENVIRONMENT.host_name)


def refuse_host(request: Request, name: str | None) -> None:
    """For what spans hosts: nobody may believe that it is on one."""
    if name or request.query_params.get("host"):
        raise Invalid("spans_hosts", "An overlay network spans hosts; create it without naming one.", "host")


def given(request: Request, *known: str) -> MultiValueDict[str, str]:
    """The parameters; a misspelt one must not pass in silence."""
    for name, values in request.query_params.lists():
        if name not in (*known, "host", "format"):
            raise ValidationError(
                {name[:100]: [f"There is no such parameter; there are: {', '.join(known)}."]}
            )
        for value in values:
            storable(name, value)
    return request.query_params


def required(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if not text:
        raise ValidationError({name: ["Say which."]})
    return str(text)


def parameter(name: str, text: str, *, many: bool = False, optional: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=text, required=not optional, many=many)
