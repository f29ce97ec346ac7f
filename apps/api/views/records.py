"""/subnets/, /pools/ and /operations/"""

from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Subquery
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import AdministratorChanges
from apps.api import filters, requests
from apps.api.changes import read_change
from apps.api.representations import (
    OperationOut,
    PoolOut,
    SubnetOut,
    reserved_in,
)
from apps.api.views.base import Resource, read
from apps.common.errors import NotFound
from apps.delivery.changes import record
from apps.delivery.models import Operation
from apps.ipam.models import Pool, Subnet
from apps.ipam.services import store_pool, utilisations
from apps.networks.models import Network


class SubnetView(Resource[Subnet]):
    """The address blocks of networks, and how full they are."""

    serializer_class = SubnetOut
    filterset_class = filters.Subnets
    queryset = Subnet.objects.order_by("space", "family", "first")

    def list(self, request: Request) -> Response:
        """Subnets by host and address."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(_show_subnets(page))

    def retrieve(self, request: Request, id: str) -> Response:
        """One subnet."""
        return Response(_show_subnets([_by_number(Subnet, self.term)])[0])


def _show_subnets(subnets: list[Subnet]) -> Any:
    holders = Network.objects.select_related("host").in_bulk([subnet.holder for subnet in subnets])
    context = {"networks": holders, "reserved": reserved_in(subnets), "use": utilisations(subnets)}
    return SubnetOut(subnets, many=True, context=context).data  # type: ignore[arg-type]


class PoolView(mixins.ListModelMixin, Resource[Pool]):
    """The blocks from which automatic subnets are cut."""

    serializer_class = PoolOut
    filterset_class = filters.Pools
    queryset = Pool.objects.all()
    permission_classes = [AdministratorChanges]
    rehearsed = ("create", "destroy")

    def retrieve(self, request: Request, id: str) -> Response:
        """One pool."""
        return Response(PoolOut(self._found()).data)

    @extend_schema(request=requests.PoolCreate, responses={201: PoolOut})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Add a pool."""
        given = read(requests.PoolCreate, request)
        pool = store_pool(Pool(**given))
        record(read_change(request, "pool.create", given), pool, None)
        return Response(PoolOut(pool).data, status=201)

    @extend_schema(responses={204: None})
    @transaction.atomic
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a pool; subnets that were cut from it stay."""
        pool = self._found()
        record(read_change(request, "pool.remove", {"base": pool.base}), pool, None)
        pool.delete()
        return Response(status=204)

    def _found(self) -> Pool:
        named = Pool.objects.filter(name=self.term).first()
        return named or _by_number(Pool, self.term)


class OperationView(mixins.ListModelMixin, Resource[Operation]):
    """Who changed what, and what became of it; newest first."""

    serializer_class = OperationOut
    filterset_class = filters.Operations
    queryset = Operation.objects.select_related("host").annotate(
        before=Subquery(
            # What failed did not become so. Numbers are ids of more than one kind of subject.
            Operation.objects.filter(
                subject=OuterRef("subject"), subject_id=OuterRef("subject_id"), at__lt=OuterRef("at")
            )
            .exclude(outcome=Operation.Outcome.FAILED)
            .order_by("-at")
            .values("after")[:1]
        )
    )

    def retrieve(self, request: Request, id: str) -> Response:
        """One change."""
        digits = self.term.replace("-", "").lower()
        whole = len(digits) == 32 and set(digits) <= set("0123456789abcdef")
        operation = self.get_queryset().filter(pk=digits).first() if whole else None
        if operation is None:
            raise NotFound("operation_not_found", f"There is no operation {self.term!r}.", "operation")
        return Response(OperationOut(operation).data)


def _by_number(model: Any, term: str) -> Any:
    """The row whose id is a number."""
    usable = term.isascii() and term.isdigit() and len(term) < 19
    row = model.objects.filter(pk=int(term)).first() if usable else None
    if row is None:
        noun = model._meta.model_name
        raise NotFound(f"{noun}_not_found", f"There is no {noun} {term!r}.", noun)
    return row
