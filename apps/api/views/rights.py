"""/grants/ and /rights/"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import Grant
from apps.accounts.permissions import AdministratorChanges
from apps.api import filters, requests
from apps.api.changes import read_change
from apps.api.people import GrantOut, RightsOut
from apps.api.views.base import HOST, Resource, given, narrowing_host, parameter, read, required
from apps.common.errors import NotFound
from apps.containers.models import Container
from apps.delivery import grants
from apps.delivery.changes import Change
from apps.delivery.rights import may, removable_endpoints
from apps.networks.models import Network
from apps.networks.selectors import find_container, find_network


class GrantView(mixins.ListModelMixin, Resource[Grant]):
    """What teams may change; a team is a group of accounts."""

    serializer_class = GrantOut
    filterset_class = filters.Grants
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Grant.objects.select_related("team").prefetch_related("team__user_set")
    permission_classes = [AdministratorChanges]
    rehearsed = ("create", "destroy")

    def get_serializer_context(self) -> dict[str, Any]:
        named = Network.objects.filter(pk__in=Grant.objects.exclude(network="").values("network"))
        return {**super().get_serializer_context(), "names": dict(named.values_list("pk", "name"))}

    @extend_schema(parameters=[HOST], request=requests.GrantCreate, responses={201: GrantOut})
    def create(self, request: Request) -> Response:
        """Let a team change a network, or whatever bears a label."""
        wanted = read(requests.GrantCreate, request)
        network = wanted.pop("network")
        found = find_network(network, narrowing_host(request)) if network else None
        grant = grants.add(self._change("grant.add", {"network": network, **wanted}), network=found, **wanted)
        return Response(self.get_serializer(self.get_queryset().get(pk=grant.pk)).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Take a grant back."""
        grant = self.get_queryset().filter(pk=int(self.term)).first()
        if grant is None:
            raise NotFound("grant_not_found", f"There is no grant {self.term}.", "grant")
        grants.remove(self._change("grant.remove", {}), grant)
        return Response(status=204)

    def _change(self, name: str, detail: dict[str, Any]) -> Change:
        return read_change(self.request, name, dict(detail))


class RightsView(APIView):
    @extend_schema(
        parameters=[
            parameter("network", "a network, or else", optional=True),
            parameter("container", "a container", optional=True),
            HOST,
        ],
        responses=RightsOut,
    )
    def get(self, request: Request) -> Response:
        """What the caller may do to a network or a container; for pages that offer nothing in vain."""
        params, host = given(request, "network", "container"), narrowing_host(request)
        subject: Network | Container
        if network := params.get("network"):
            subject = find_network(network, host)
            commands = False
        else:
            subject = find_container(required(request, "container"), host)
            commands = may(request.user, "container.exec", subject)
        return Response(
            {
                "change": may(request.user, f"{subject._meta.model_name}.remove", subject),
                "commands": commands,
                "endpoints": removable_endpoints(request.user, subject),
            }
        )
