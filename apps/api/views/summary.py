"""/summary/: how all containers and endpoints are, in four queries whatever their number."""

from typing import Any

from django.db.models import Case, CharField, Count, Q, Value, When
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.containers.models import Container
from apps.networks.models import Endpoint
from apps.networks.selectors import state_of

MOST = 50
"""Of each kind that wants attention."""
STEADY = [Container.State.CREATED, Container.State.RUNNING, Container.State.EXITED]


class Concern(serializers.Serializer[Any]):
    """A container, or an endpoint of one that runs, which is not as it should be, or not yet."""

    id = serializers.CharField(help_text="Of the container.")
    name = serializers.CharField()
    host = serializers.CharField()
    network = serializers.CharField(allow_null=True, help_text="When it is about the endpoint there.")
    state = serializers.CharField()
    message = serializers.CharField()


class Summary(serializers.Serializer[Any]):
    containers = serializers.DictField(child=serializers.IntegerField(), help_text="How many by state.")
    endpoints = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many by state; of a container that does not run, by that of the container.",
    )
    concerns = Concern(many=True)


class SummaryView(APIView):
    @extend_schema(responses=Summary)
    def get(self, request: Request) -> Response:
        """How many containers and endpoints are in which state, and those that want attention."""
        states = Container.objects.order_by().values_list("state").annotate(Count("pk"))
        told = {
            "containers": dict(states),
            "endpoints": count_endpoints(),
            "concerns": [*failing_containers(), *failing_endpoints()],
        }
        return Response(Summary(told).data)


def count_endpoints() -> dict[str, int]:
    """By the states that `state_of` knows; what is well, of a container that does not run, is as that container is:
    nobody finds it in `inspect`, nor in the kernel."""
    well = Case(
        When(container__state=Container.State.RUNNING, then=Value("active")), default="container__state"
    )
    rows = Endpoint.objects.order_by().annotate(
        seen=Case(
            When(removing=True, then=Value("removing")),
            When(~Q(error=""), then=Value("failed")),
            When(applied=False, then=Value("pending")),
            default=well,
            output_field=CharField(),
        )
    )
    return dict(rows.values_list("seen").annotate(Count("pk")))


def failing_containers() -> list[dict[str, Any]]:
    rows = Container.objects.exclude(state__in=STEADY).select_related("host")
    return [
        {
            "id": row.pk,
            "name": row.name,
            "host": row.host.name,
            "network": None,
            "state": row.state,
            "message": row.error or row.exit_message,
        }
        for row in rows[:MOST]
    ]


def failing_endpoints() -> list[dict[str, Any]]:
    rows = Endpoint.objects.filter(Q(removing=True) | Q(applied=False) | ~Q(error=""))
    running = rows.filter(container__state=Container.State.RUNNING)
    return [
        {
            "id": row.container.pk,
            "name": row.container.name,
            "host": row.host.name,
            "network": row.network.name,
            "state": state_of(row),
            "message": row.error,
        }
        for row in running.select_related("container", "network", "host")[:MOST]
    ]
