"""/networks/"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import filters, requests
from apps.api.changes import change, change_on_all, read_change
from apps.api.inspect import describe_network
from apps.api.representations import EndpointOut, NetworkOut, Plan, Removed, show_use
from apps.api.views.base import HOST, LABEL, Resource, chosen_host, kept, narrowing_host, read, refuse_host
from apps.common.errors import DomainError
from apps.common.fields import given_as
from apps.delivery.changes import record
from apps.delivery.rights import demand
from apps.delivery.snapshots import list_networks
from apps.hosts.models import Host
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.rules import ask_subnet, has_labels, read_link
from apps.networks.selectors import current, find_network, find_pair, subnets_of
from apps.networks.services import endpoints as endpoint_services
from apps.networks.services import networks as network_services
from apps.networks.services import overlays
from apps.networks.services.attachments import Wish
from apps.networks.services.batches import Wanted


def all_networks() -> QuerySet[Network]:
    """With all that is shown of them."""
    return Network.objects.select_related("host").prefetch_related("memberships__host")


def show_networks(networks: Iterable[Network]) -> list[dict[str, Any]]:
    """Four queries whatever the number of networks."""
    listed = list(networks)
    by_network = subnets_of([network.pk for network in listed])
    use = iter(show_use([subnet for subnets in by_network.values() for subnet in subnets]))
    context = {"subnets": {pk: [next(use) for _ in subnets] for pk, subnets in by_network.items()}}
    return [dict(shown) for shown in NetworkOut(listed, many=True, context=context).data]  # type: ignore[arg-type]


def show_network(network: Network) -> dict[str, Any]:
    return show_networks([network])[0]


def show_endpoint(endpoint: Endpoint) -> Any:
    return kept(EndpointOut).to_representation(endpoint)


def read_wish(given: Mapping[str, Any]) -> Wish:
    """What `requests.Attachment` says, as the services want it."""
    return Wish(
        ipv4=given["ipv4_address"],
        ipv6=given["ipv6_address"],
        mac=given["mac_address"],
        aliases=given["aliases"],
        links=[read_link(link) for link in given["links"]],
        priority=given["gateway_priority"],
    )


def read_label_filters(given: Iterable[str]) -> dict[str, str | None]:
    """`key` or `key=value`, as the value that the key must have; None: any."""
    return {key: value if equals else None for key, equals, value in (text.partition("=") for text in given)}


def ready_to_make(given: Mapping[str, Any]) -> Callable[[Host | None], Network]:
    """What makes the network that is asked for, on a locked host; None: an overlay."""
    fields = {key: given[key] for key in ("name", "internal", "enable_ipv6", "options", "labels")}

    def make(host: Host | None) -> Network:
        wanted = [
            ask_subnet(one["subnet"], one["gateway"], one["ip_range"], one["aux_addresses"])
            for one in given["subnets"]
        ]
        if host is None:
            return overlays.create_overlay(subnets=wanted, **fields)
        return network_services.create_network(host, driver=given["driver"], subnets=wanted, **fields)

    return make


class NetworkView(Resource[Network]):
    serializer_class = NetworkOut
    filterset_class = filters.Networks
    rehearsed = ("create", "partial_update", "destroy", "connect", "disconnect", "prune")

    def get_queryset(self) -> QuerySet[Network]:
        return all_networks()

    def found(self) -> Network:
        return find_network(self.term, narrowing_host(self.request))

    @extend_schema(parameters=[LABEL])
    def list(self, request: Request) -> Response:
        """Networks, oldest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(show_networks(page or []))

    @extend_schema(request=requests.NetworkCreate, responses={201: NetworkOut})
    def create(self, request: Request) -> Response:
        """Create a network; a subnet that is not given is chosen."""
        given = read(requests.NetworkCreate, request)
        shown: dict[str, Any] = {"show": show_network, "code": 201}
        detail = {
            key: given[key]
            for key in ("name", "driver", "internal", "enable_ipv6", "options", "labels", "subnets")
        }
        make = ready_to_make(given)
        if given["driver"] == Driver.OVERLAY:
            refuse_host(request, given["host"])
            return change_on_all(request, "network.create", lambda: (make(None), ()), detail=detail, **shown)
        host = chosen_host(request, given["host"])
        return change(request, host, "network.create", make, detail=detail, **shown)

    @extend_schema(request=requests.NetworkCreate, responses={200: Plan})
    @action(detail=False, methods=["post"])
    def plan(self, request: Request) -> Response:
        """What creating a network would make, or why it would be refused; nothing is recorded."""
        given = read(requests.NetworkCreate, request)
        try:
            if given["driver"] == Driver.OVERLAY:
                refuse_host(request, given["host"])
            host = None if given["driver"] == Driver.OVERLAY else chosen_host(request, given["host"])
            with transaction.atomic():
                # The very thing that creation does, for no rule may be known in two places; and then not.
                locked = host and Host.objects.select_for_update().get(pk=host.pk)
                subnets = show_network(ready_to_make(given)(locked))["subnets"]
                transaction.set_rollback(True)
        except DomainError as error:
            fault = {"code": error.code, "message": error.message, "field": given_as(error.field)}
            return Response({"subnets": [], "refusal": fault})
        return Response({"subnets": subnets, "refusal": None})

    @extend_schema(parameters=[HOST])
    def retrieve(self, request: Request, id: str) -> Response:
        """One network."""
        return Response(show_network(self.found()))

    @extend_schema(parameters=[HOST], request=requests.NetworkUpdate, responses={200: NetworkOut})
    @transaction.atomic
    def partial_update(self, request: Request, id: str) -> Response:
        """Give a network other labels; all else stays as it was made."""
        given = read(requests.NetworkUpdate, request)
        network = (
            Network.objects.select_for_update(of=("self",)).select_related("host").get(pk=self.found().pk)
        )
        asked = read_change(request, "network.relabel", given)
        # By the labels that it has; the new ones are judged when the change is recorded.
        demand(asked.actor, asked.action, network)
        network_services.relabel_network(network, given["labels"])
        record(asked, network, network.host)
        return Response(show_network(network))

    @extend_schema(parameters=[HOST], responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a network that no running container is on."""
        network = self.found()
        if network.host is None:
            return change_on_all(
                request,
                "network.remove",
                lambda: (network, overlays.remove_overlay(network)),
                detail={},
                show=lambda _: None,
                code=204,
            )
        return change(
            request,
            network.host,
            "network.remove",
            lambda locked: network_services.remove_network(locked, current(network, locked)),
            detail={},
            show=lambda _: None,
            code=204,
        )

    @extend_schema(
        parameters=[
            HOST,
            OpenApiParameter("all", OpenApiTypes.BOOL, description="Show containers that do not run, too."),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["get"])
    def inspect(self, request: Request, id: str) -> Response:
        """The network as `docker network inspect` prints it."""
        network = self.found()
        everything = request.query_params.get("all", "").lower() in ("1", "true")
        return Response(describe_network(network, everything=everything))

    @extend_schema(parameters=[HOST], request=requests.Connect, responses={201: EndpointOut})
    @action(detail=True, methods=["post"])
    def connect(self, request: Request, id: str) -> Response:
        """Attach a container: at once when it runs, at its next start when it does not."""
        given = read(requests.Connect, request)
        network, container = find_pair(self.term, given["container"], narrowing_host(request))
        wanted = Wanted(network, container, read_wish(given))
        detail = {key: value for key, value in given.items() if value} | {"network": network.name}
        return change(
            request, container.host, "endpoint.connect", wanted, detail=detail, show=show_endpoint, code=201
        )

    @extend_schema(parameters=[HOST], request=requests.Disconnect, responses={204: None})
    @action(detail=True, methods=["post"])
    def disconnect(self, request: Request, id: str) -> Response:
        """Detach a container. By force also one that is not known any more, or whose removal is stuck."""
        given = read(requests.Disconnect, request)
        term, force = given["container"], given["force"]
        if force:
            network = self.found()
            host = network.host or endpoint_services.host_of(network, term)
        else:
            network, container = find_pair(self.term, term, narrowing_host(request))
            host = container.host
        detail = {**given, "network": network.name}

        def work(locked: Host) -> Endpoint | Network:
            present = current(network, locked)
            if not force:
                return endpoint_services.disconnect(locked, present, current(container, locked))
            endpoint = endpoint_services.disconnect_by_force(locked, present, term)
            detail["forgotten"] = endpoint is None
            return endpoint or present

        return change(
            request, host, "endpoint.disconnect", work, detail=detail, show=lambda _: None, code=204
        )

    @extend_schema(request=requests.Prune, responses={200: Removed})
    @action(detail=False, methods=["post"], filterset_class=None)
    def prune(self, request: Request) -> Response:
        """Remove every network of a host that no container is on."""
        given = read(requests.Prune, request)
        labels = read_label_filters(given["labels"])
        detail: dict[str, Any] = {"labels": given["labels"], "removed": []}

        def work(locked: Host) -> Host:
            pruned = network_services.prune_networks(locked, lambda one: has_labels(one.labels, labels))
            detail["removed"] = [network.name for network in pruned]
            detail["networks"] = list_networks(pruned)
            return locked

        host = chosen_host(request, given["host"])
        return change(
            request, host, "network.prune", work, detail=detail, show=lambda _: {"removed": detail["removed"]}
        )
