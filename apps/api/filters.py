"""What lists may be narrowed by. A filter that does not exist is refused: ignoring it would show too much."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast

import django_filters as filters
from django.db.models import Q, QuerySet
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.accounts.models import Failure, Grant
from apps.api.texts import check_text
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.ipam.models import Pool
from apps.networks.models import Driver, Endpoint, Network

if TYPE_CHECKING:  # At run time views import this module.
    from rest_framework.views import APIView

PAGING = {"limit", "offset", "format"}


def among(choices: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The choices of a filter, and a refusal that names them."""
    known = ", ".join(value for value, _ in choices)
    text = f"There is no %(value)r; there are: {known}."
    return {"choices": choices, "error_messages": {"invalid_choice": text}}


class StrictFilters(DjangoFilterBackend):
    """django-filter, and 400 for a parameter that no filter knows."""

    def filter_queryset(  # type: ignore[override]  # The framework calls it with its own request.
        self, request: Request, queryset: QuerySet[Any], view: "APIView"
    ) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        names = list(filterset.filters)
        for name, values in request.query_params.lists():
            if name not in names and name not in PAGING:
                known = ", ".join(sorted(names))
                text = f"There is no such filter; there are: {known}."
                raise ValidationError({name[:100]: [text]}, code="unknown_filter")
            for value in values:
                problem = check_text(value)
                if problem:
                    raise ValidationError({name: [f"The value {problem}."]})
        return super().filter_queryset(request, queryset, view)


class Labels(filters.CharFilter):
    """`key` or `key=value`; given several times, all must fit."""

    parent: filters.FilterSet

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in EMPTY_VALUES:
            return queryset
        request = cast(Request, self.parent.request)
        for wanted in request.query_params.getlist("label"):
            key, equals, text = wanted.partition("=")
            queryset = queryset.filter(labels__has_key=key)
            if equals:
                # A JSON path would take a key of digits for a position, and __ for a lookup.
                labelled = queryset.values_list("pk", "labels")
                queryset = queryset.filter(pk__in=[pk for pk, labels in labelled if labels.get(key) == text])
        return queryset


class Parts(filters.CharFilter):
    """Part of the field's text; given several times, any may fit, as in Docker."""

    parent: filters.FilterSet

    def __init__(self, parameter: str) -> None:
        super().__init__(field_name=parameter, label=f"part of the {parameter}; repeatable, any may fit")

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in EMPTY_VALUES:
            return queryset
        request, name = cast(Request, self.parent.request), str(self.field_name)
        fits = Q()
        for part in request.query_params.getlist(name):
            fits |= Q(**{f"{name}__icontains": part})
        return queryset.filter(fits)


class Hosts(filters.FilterSet):
    name = Parts("name")
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = Host
        fields: list[str] = []


class Networks(filters.FilterSet):
    host = filters.CharFilter(method="filter_host", label="name; what spans hosts is on every one")
    name = Parts("name")
    id = Parts("id")
    driver = filters.MultipleChoiceFilter(**among(Driver.choices), null_value="\0")
    label = Labels(label="key or key=value; repeatable")
    type = filters.ChoiceFilter(
        **among([("builtin", "predefined"), ("custom", "made by people")]), method="filter_type"
    )
    search = filters.CharFilter(method="filter_search", label="part of the name or beginning of the id")

    class Meta:
        model = Network
        fields: list[str] = []

    def filter_host(self, queryset: QuerySet[Network], name: str, value: str) -> QuerySet[Network]:
        return queryset.filter(Q(host__name=value) | Q(host=None))

    def filter_type(self, queryset: QuerySet[Network], name: str, value: str) -> QuerySet[Network]:
        return queryset.filter(predefined=value == "builtin")

    def filter_search(self, queryset: QuerySet[Network], name: str, value: str) -> QuerySet[Network]:
        return queryset.filter(Q(name__icontains=value) | Q(pk__startswith=value))


class Containers(filters.FilterSet):
    host = filters.CharFilter(field_name="host__name")
    name = Parts("name")
    state = filters.MultipleChoiceFilter(**among(Container.State.choices))
    network = filters.CharFilter(method="filter_network", label="name or id of a network it is on")
    label = Labels(label="key or key=value; repeatable")
    search = filters.CharFilter(method="filter_search", label="part of the name or beginning of the id")

    class Meta:
        model = Container
        fields: list[str] = []

    def filter_network(self, queryset: QuerySet[Container], name: str, value: str) -> QuerySet[Container]:
        endpoints = Endpoint.objects.filter(removing=False).filter(
            Q(network__name=value) | Q(network__pk=value)
        )
        return queryset.filter(pk__in=endpoints.values("container"))

    def filter_search(self, queryset: QuerySet[Container], name: str, value: str) -> QuerySet[Container]:
        return queryset.filter(Q(name__icontains=value) | Q(pk__startswith=value))


class Endpoints(filters.FilterSet):
    host = filters.CharFilter(field_name="host__name")
    network = filters.CharFilter(method="filter_network", label="name or id")
    container = filters.CharFilter(method="filter_container", label="name or id")
    address = filters.CharFilter(method="filter_address", label="IPv4 or IPv6 address")
    mac = filters.CharFilter(lookup_expr="iexact")

    class Meta:
        model = Endpoint
        fields: list[str] = []

    def filter_network(self, queryset: QuerySet[Endpoint], name: str, value: str) -> QuerySet[Endpoint]:
        return queryset.filter(Q(network__name=value) | Q(network__pk=value))

    def filter_container(self, queryset: QuerySet[Endpoint], name: str, value: str) -> QuerySet[Endpoint]:
        return queryset.filter(Q(container__name=value) | Q(container__pk=value))

    def filter_address(self, queryset: QuerySet[Endpoint], name: str, value: str) -> QuerySet[Endpoint]:
        try:
            address = ip_address(value)
        except ValueError:
            raise ValidationError({name: [f"{value!r} is not an IP address."]}) from None
        return queryset.filter(**{f"ipv{address.version}": str(address)})


class Subnets(filters.FilterSet):
    host = filters.CharFilter(method="filter_host", label="name of the host")
    network = filters.CharFilter(method="filter_network", label="name or id")

    def filter_host(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(holder__in=Network.objects.filter(host__name=value).values("pk"))

    def filter_network(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        found = Network.objects.filter(Q(name=value) | Q(pk=value))
        return queryset.filter(holder__in=found.values("pk"))


class Pools(filters.FilterSet):
    name = filters.CharFilter()
    space = filters.ChoiceFilter(**among(Pool.Space.choices))

    class Meta:
        model = Pool
        fields: list[str] = []


class Operations(filters.FilterSet):
    subject = filters.CharFilter()
    subject_id = filters.CharFilter()
    actor = filters.CharFilter(field_name="actor_name")
    action = filters.CharFilter()
    outcome = filters.ChoiceFilter(**among(Operation.Outcome.choices))
    host = filters.CharFilter(field_name="host__name")
    search = filters.CharFilter(
        method="filter_search",
        label="part of the subject's name, the action or the account; beginning of an id",
    )

    class Meta:
        model = Operation
        fields: list[str] = []

    def filter_search(self, queryset: QuerySet[Operation], name: str, value: str) -> QuerySet[Operation]:
        parts = Q(subject_name__icontains=value) | Q(action__icontains=value) | Q(actor_name__icontains=value)
        return queryset.filter(parts | Q(subject_id__startswith=value))


class Tokens(filters.FilterSet):
    name = filters.CharFilter()


class Certificates(filters.FilterSet):
    name = filters.CharFilter()
    user = filters.CharFilter(field_name="user__username")


class Grants(filters.FilterSet):
    team = filters.CharFilter(field_name="team__name")
    label = filters.CharFilter()
    network = filters.CharFilter(label="id")

    class Meta:
        model = Grant
        fields: list[str] = []


class Failures(filters.FilterSet):
    account = filters.CharFilter()
    address = filters.CharFilter()

    class Meta:
        model = Failure
        fields: list[str] = []
