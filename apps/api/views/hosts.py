"""/hosts/ and /join/"""

import logging
from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from apps.accounts.permissions import AdministratorChanges, OperatorChanges
from apps.api import filters, requests
from apps.api.changes import read_change
from apps.api.rehearsals import HostPlanOut
from apps.api.representations import HostOut, Invited, Sealed
from apps.api.views.base import Resource, read
from apps.common.errors import DomainError
from apps.delivery import joining
from apps.delivery.changes import Change
from apps.delivery.rehearsals import plan_repair
from apps.hosts import services as hosts
from apps.hosts.models import Host
from workers.contract import joining as contract

log = logging.getLogger(__name__)


class HostView(mixins.ListModelMixin, Resource[Host]):
    """The machines that run a worker."""

    serializer_class = HostOut
    filterset_class = filters.Hosts
    queryset = Host.objects.all()
    rehearsed = ("partial_update", "destroy", "drain", "undrain")

    def get_permissions(self) -> list[Any]:
        """An operator may only take a host out of use for a while."""
        return [OperatorChanges() if self.action in ("drain", "undrain") else AdministratorChanges()]

    def retrieve(self, request: Request, id: str) -> Response:
        """One host."""
        return Response(HostOut(hosts.pick(self.term)).data)

    @extend_schema(request=requests.HostCreate, responses={201: Invited})
    def create(self, request: Request) -> Response:
        """Add a host. The command with which its machine joins is in this answer and nowhere else."""
        given = read(requests.HostCreate, request)
        host, token = joining.add_host(self._change("host.add", given), given["name"], given["advertise"])
        return self._invited(host, token, 201)

    @extend_schema(request=requests.HostUpdate, responses={200: HostOut})
    def partial_update(self, request: Request, id: str) -> Response:
        """Give a host another advertise address."""
        given = read(requests.HostUpdate, request)
        host = hosts.pick(self.term)
        joining.move(self._change("host.move", given), host, given["advertise"])
        return Response(HostOut(Host.objects.get(pk=host.pk)).data)

    @extend_schema(
        parameters=[OpenApiParameter("force", OpenApiTypes.BOOL, description="With all that is on it.")],
        responses={204: None},
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a host; its machine is told to become empty."""
        force = request.query_params.get("force", "").lower() in ("1", "true")
        joining.remove_host(self._change("host.remove", {"force": force}), hosts.pick(self.term), force=force)
        return Response(status=204)

    @extend_schema(responses={200: HostPlanOut})
    @action(detail=True, methods=["get"])
    def plan(self, request: Request, id: str) -> Response:
        """What the host would do if it looked at itself now; nothing is done."""
        return Response(HostPlanOut(plan_repair(hosts.pick(self.term))).data)

    @extend_schema(request=None, responses={200: Invited})
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, id: str) -> Response:
        """A new token for a host, with which its machine gets a new key."""
        read(requests.Strict, request)
        host = hosts.pick(self.term)
        return self._invited(host, joining.renew_host(self._change("host.renew", {}), host), 200)

    @extend_schema(request=None, responses={200: HostOut})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:
        """End a host's key and login at once."""
        read(requests.Strict, request)
        joining.revoke_host(self._change("host.revoke", {}), hosts.pick(self.term))
        return self.retrieve(request, id)

    @extend_schema(request=None, responses={200: HostOut})
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, id: str) -> Response:
        """Put nothing new on a host; what is there goes on."""
        return self._set_drained(request, True)

    @extend_schema(request=None, responses={200: HostOut})
    @action(detail=True, methods=["post"])
    def undrain(self, request: Request, id: str) -> Response:
        """Use a host again."""
        return self._set_drained(request, False)

    def _set_drained(self, request: Request, drained: bool) -> Response:
        read(requests.Strict, request)
        host = hosts.pick(self.term)
        asked = self._change("host.drain" if drained else "host.undrain", {})
        joining.drain_host(asked, host, drained=drained)
        return Response(HostOut(Host.objects.get(pk=host.pk)).data)

    def _change(self, name: str, detail: dict[str, Any]) -> Change:
        return read_change(self.request, name, detail)

    def _invited(self, host: Host, token: contract.Token, status: int) -> Response:
        command = joining.word_command(token, self.request.build_absolute_uri("/"))
        current = Host.objects.get(pk=host.pk)
        return Response(Invited(current, context={"command": command}).data, status=status)


class JoinRate(AnonRateThrottle):
    """Tries from one address: guessing a token is hopeless, but each try costs."""

    rate = "30/min"

    def get_ident(self, request: Request) -> str:
        """The address of the connection: a header can be made up anew for each try."""
        return str(request.META.get("REMOTE_ADDR"))


class JoinView(APIView):
    """Where a machine becomes a host; its token is all it has to show."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes = [JoinRate]

    @extend_schema(request=requests.Join, responses={200: Sealed})
    def post(self, request: Request) -> Response:
        """Use a token up. The answer is encrypted under it: see `workers/contract/joining.py`."""
        given = read(requests.Join, request)
        asked = msgspec.convert(given, contract.Request)
        try:
            return Response({"sealed": joining.accept_host(asked)})
        except DomainError as error:
            log.warning("refused a machine at %s: %s", request.META.get("REMOTE_ADDR"), error.code)
            raise
