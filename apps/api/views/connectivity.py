"""/check/, /matrix/, /resolve/ and /statistics/: measured when asked, inside the sandboxes; nothing is changed."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.representations import Ref
from apps.api.views.base import HOST, given, narrowing_host, parameter, required
from apps.common.errors import Forbidden, Invalid, NotFound
from apps.connectivity import measurement
from apps.connectivity.measurement import Verdict, with_way
from apps.containers.models import Container
from apps.delivery.rights import may
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import find_container, find_network

ID_SHOWN = 12
"""Digits of an id that are usually shown."""
COUNTERS = [f"{way}_{what}" for way in ("rx", "tx") for what in ("packets", "bytes", "errors", "dropped")]


class PlacedRef(Ref):
    host = serializers.CharField(source="host.name")


class Measured(PlacedRef):
    state = serializers.ChoiceField(choices=Container.State.choices)


class StepOut(serializers.Serializer[Any]):
    step = serializers.CharField()
    detail = serializers.CharField()
    ok = serializers.BooleanField()
    advice = serializers.CharField()


class EchoOut(serializers.Serializer[Any]):
    target = serializers.CharField(source="address")
    sent = serializers.IntegerField()
    received = serializers.IntegerField()
    rtt_ms = serializers.FloatField(allow_null=True, help_text="Median.")
    error = serializers.CharField()


class LookupOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    answers = serializers.ListField(child=serializers.CharField())
    step = serializers.CharField(help_text="link, name, alias, reverse, forwarded or refused.")
    rcode = serializers.CharField()
    error = serializers.CharField()


class CheckOut(serializers.Serializer[Verdict]):
    """Whether one container reaches another; the first step that is not ok is the reason."""

    source = PlacedRef()  # type: ignore[assignment]  # Of what is shown, not the serializer's own.
    target = PlacedRef(allow_null=True)
    to = serializers.CharField()
    reachable = serializers.BooleanField()
    address = EchoOut(source="echo", allow_null=True)
    name = LookupOut(source="lookup", allow_null=True)
    path = StepOut(many=True)
    reason = serializers.CharField(source="fault.detail", default="")
    advice = serializers.CharField(source="fault.advice", default="")


class Cell(serializers.Serializer[Verdict]):
    source = serializers.CharField(source="source.pk")  # type: ignore[assignment]
    target = serializers.CharField(source="target.pk")
    reachable = serializers.BooleanField()
    rtt_ms = serializers.FloatField(source="echo.rtt_ms", allow_null=True, default=None)
    loss = serializers.SerializerMethodField(help_text="0 to 1.")
    name = serializers.SerializerMethodField(help_text="Whether its name leads there; null: not asked.")
    reason = serializers.CharField(source="fault.detail", default="")

    def get_loss(self, verdict: Verdict) -> float:
        echo = verdict.echo
        return 1 - echo.received / echo.sent if echo and echo.sent else 1.0

    def get_name(self, verdict: Verdict) -> bool | None:
        return bool(verdict.lookup.answers) if verdict.lookup else None


class MatrixOut(serializers.Serializer[Any]):
    containers = Measured(many=True)
    cells = Cell(many=True)
    seconds = serializers.FloatField()


class InterfaceOut(serializers.Serializer[Any]):
    endpoint = serializers.CharField(allow_null=True)
    container = Ref()
    network = Ref(allow_null=True)
    name = serializers.CharField()
    mac = serializers.CharField()
    mtu = serializers.IntegerField()
    up = serializers.BooleanField()
    addresses = serializers.ListField(child=serializers.CharField())
    rx_packets = serializers.IntegerField()
    rx_bytes = serializers.IntegerField()
    rx_errors = serializers.IntegerField()
    rx_dropped = serializers.IntegerField()
    tx_packets = serializers.IntegerField()
    tx_bytes = serializers.IntegerField()
    tx_errors = serializers.IntegerField()
    tx_dropped = serializers.IntegerField()


class StatisticsOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    interfaces = InterfaceOut(many=True)


class DeviceOut(serializers.Serializer[Any]):
    device = serializers.CharField()
    kind = serializers.ChoiceField(choices=["bridge", "tunnel", "port"])
    up = serializers.BooleanField()
    mtu = serializers.IntegerField()
    mac = serializers.CharField()
    addresses = serializers.ListField(child=serializers.CharField())
    container = serializers.CharField(allow_null=True, help_text="Id, of a port.")
    entries = serializers.IntegerField(allow_null=True, help_text="Remote endpoints, of a tunnel.")


class LinksOut(serializers.Serializer[Any]):
    """The devices of a network on one host."""

    host = serializers.CharField()
    error = serializers.CharField()
    links = DeviceOut(many=True)


def load(container: Container) -> Container:
    return with_way().get(pk=container.pk)


def find_target(source: Container, to: str) -> Container | None:
    """The container that is called so, first on the source's host; None: a name or address of something else.

    An alias may look like the beginning of an id, so only a long one is taken for that.
    """
    for host in (source.host, None):
        try:
            found = find_container(to, host)
        except (NotFound, Invalid):
            continue
        if found.name == to or (len(to) >= ID_SHOWN and found.pk.startswith(to)):
            return load(found)
    return None


class CheckView(APIView):
    @extend_schema(
        parameters=[
            parameter("from", "a container"),
            parameter("to", "a container, a name, or an address"),
            HOST,
        ],
        responses=CheckOut,
    )
    def get(self, request: Request) -> Response:
        """Measure whether one container reaches another, by address and by name, and say why not."""
        given(request, "from", "to")
        host = narrowing_host(request)
        source, to = load(find_container(required(request, "from"), host)), required(request, "to")
        target = find_target(source, to)
        if target is None and not may(request.user, "container.check", source):
            # It sends packets to wherever somebody likes, in the name of a container.
            raise Forbidden(
                "operators_only",
                f"{to!r} is no container; other names and addresses may try who may run commands in {source.name}.",
                "to",
            )
        return Response(CheckOut(measurement.check(source, to, target)).data)


class ResolveView(APIView):
    @extend_schema(
        parameters=[parameter("from", "a container"), parameter("name", "what it asks for"), HOST],
        responses=LookupOut,
    )
    def get(self, request: Request) -> Response:
        """What the name service in a container's sandbox answers, and by which step."""
        given(request, "from", "name")
        source = load(find_container(required(request, "from"), narrowing_host(request)))
        return Response(LookupOut(measurement.resolve(source, required(request, "name"))).data)


class MatrixView(APIView):
    @extend_schema(
        parameters=[
            parameter("network", "all on it", optional=True),
            parameter("container", "repeatable", many=True, optional=True),
            HOST,
        ],
        responses=MatrixOut,
    )
    def get(self, request: Request) -> Response:
        """Measure every pair of a network's containers, or of those that are named."""
        params, host = given(request, "network", "container"), narrowing_host(request)
        wanted = with_way().order_by("name", "pk")
        if network := params.get("network"):
            holders = Endpoint.objects.filter(network=find_network(network, host), removing=False)
            chosen = list(wanted.filter(pk__in=holders.values("container"))[: measurement.MOST + 1])
        else:
            terms = params.getlist("container")[: measurement.MOST + 1]
            chosen = list(wanted.filter(pk__in=[find_container(term, host).pk for term in terms]))
        if not chosen and not network:
            raise ValidationError({"container": ["Name a network, or containers."]})
        cells, seconds = measurement.measure_matrix(chosen)
        return Response(MatrixOut({"containers": chosen, "cells": cells, "seconds": seconds}).data)


class LinksView(APIView):
    @extend_schema(parameters=[parameter("network", "whose devices"), HOST], responses=LinksOut(many=True))
    def get(self, request: Request) -> Response:
        """What of a network is in the kernels of its hosts now."""
        given(request, "network")
        network = find_network(required(request, "network"), narrowing_host(request))
        return Response(LinksOut(measurement.list_links(network), many=True).data)


class StatisticsView(APIView):
    @extend_schema(
        parameters=[
            parameter("container", "one", optional=True),
            parameter("network", "all on it; only their interfaces there", optional=True),
            HOST,
        ],
        responses=StatisticsOut,
    )
    def get(self, request: Request) -> Response:
        """What interfaces have counted, read from the kernel now; silent hosts are left out."""
        params, host = given(request, "network", "container"), narrowing_host(request)
        if network := params.get("network"):
            return Response(read_statistics(find_network(network, host)))
        return Response(read_statistics(find_container(required(request, "container"), host)))


def read_statistics(subject: Network | Container) -> Any:
    """`StatisticsOut` of a container, or of all interfaces on a network."""
    network = subject if isinstance(subject, Network) else None
    if network is not None:
        holders = Endpoint.objects.filter(network=network, removing=False)
        chosen = list(with_way().filter(pk__in=holders.values("container")))
    else:
        chosen = [with_way().get(pk=subject.pk)]
    counted = measurement.read_interfaces(chosen)
    rows = [
        row
        for container in chosen
        for interface in counted.get(container.pk, [])
        if (row := describe_interface(container, interface, network)) is not None
    ]
    return StatisticsOut({"at": datetime.now(UTC), "interfaces": rows}).data


def describe_interface(
    container: Container, interface: dict[str, Any], network: Network | None
) -> dict[str, Any] | None:
    """None: not on that network."""
    endpoint = next((each for each in container.endpoints.all() if each.interface == interface["name"]), None)
    if network is not None and (endpoint is None or endpoint.network.pk != network.pk):
        return None
    return {
        **{counter: 0 for counter in COUNTERS},
        **interface,
        "endpoint": endpoint.pk if endpoint else None,
        "network": endpoint.network if endpoint else None,
        "container": container,
    }
