"""/endpoints/"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import filters, requests
from apps.api.changes import change_together
from apps.api.representations import EndpointOut
from apps.api.views.base import HOST, Resource, narrowing_host, read_many
from apps.api.views.networks import read_wish
from apps.hosts.models import Host
from apps.networks.models import Endpoint
from apps.networks.selectors import attached, find_endpoint, find_pairs
from apps.networks.services.batches import Wanted, connect_all, disconnect_all, naming
from apps.networks.services.endpoints import not_connected


def show_endpoints(endpoints: Sequence[Endpoint]) -> Any:
    return EndpointOut(endpoints, many=True).data  # type: ignore[arg-type]


class EndpointView(mixins.ListModelMixin, Resource[Endpoint]):
    """What attaches containers to networks."""

    serializer_class = EndpointOut
    filterset_class = filters.Endpoints
    rehearsed = ("create", "destroy_many")

    def get_queryset(self) -> QuerySet[Endpoint]:
        return attached(Endpoint.objects.all())

    def retrieve(self, request: Request, id: str) -> Response:
        """One endpoint."""
        return Response(EndpointOut(find_endpoint(self.term)).data)

    @extend_schema(
        parameters=[HOST],
        request=requests.EndpointCreate(many=True),
        responses={201: EndpointOut(many=True)},
        filters=False,
    )
    def create(self, request: Request) -> Response:
        """Connect up to a thousand containers at once: all are recorded, or none; the answer has their order."""
        given = read_many(requests.EndpointCreate, request)
        pairs = find_pairs(
            [(each["network"], each["container"]) for each in given], narrowing_host(request), naming
        )
        wanted = [
            Wanted(network, container, read_wish(each))
            for (network, container), each in zip(pairs, given, strict=True)
        ]

        def work(locked: Mapping[UUID, Host]) -> Sequence[Endpoint]:
            return connect_all(locked, wanted)

        return change_together(
            request,
            {each.container.host for each in wanted},
            "endpoint.connect",
            work,
            details=[_detail(each, network.name) for (network, _), each in zip(pairs, given, strict=True)],
            show=show_endpoints,
            code=201,
        )

    @extend_schema(
        parameters=[HOST],
        request=requests.EndpointRemove(many=True),
        responses={204: None},
        filters=False,
    )
    def destroy_many(self, request: Request) -> Response:
        """Disconnect up to a thousand containers at once: all are recorded as going, or none."""
        given = read_many(requests.EndpointRemove, request)
        found = find_endpoints(given, narrowing_host(request))

        def work(locked: Mapping[UUID, Host]) -> Sequence[Endpoint]:
            return disconnect_all(locked, found)

        return change_together(
            request,
            {endpoint.host for endpoint in found},
            "endpoint.disconnect",
            work,
            details=[
                {"container": endpoint.container.name, "network": endpoint.network.name} for endpoint in found
            ],
            show=lambda _: None,
            code=204,
        )


def _detail(given: Mapping[str, Any], network: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value} | {"network": network}


def find_endpoints(given: Sequence[Mapping[str, Any]], host: Host | None) -> list[Endpoint]:
    """What `requests.EndpointRemove` says, each; a few queries, and more for beginnings of ids."""
    known = attached(Endpoint.objects.all()).in_bulk([each["id"] for each in given if each["id"]])
    places = [position for position, each in enumerate(given) if not each["id"]]
    pairs = find_pairs(
        [(given[position]["network"], given[position]["container"]) for position in places],
        host,
        lambda index, container, network: naming(places[index], container, network),
    )
    by_place = dict(zip(places, pairs, strict=True))
    on_both = attached(Endpoint.objects.all()).filter(
        network__in={network.pk for network, _ in pairs},
        container__in={container.pk for _, container in pairs},
    )
    by_pair = {(each.network_id, each.container_id): each for each in on_both} if pairs else {}
    found = []
    for position, each in enumerate(given):
        if each["id"]:
            with naming(position, each["id"]):
                found.append(known.get(each["id"]) or find_endpoint(each["id"]))
            continue
        network, container = by_place[position]
        endpoint = by_pair.get((network.pk, container.pk))
        if endpoint is None:
            with naming(position, container.name, network.name):
                raise not_connected(network, container)
        found.append(endpoint)
    return found
