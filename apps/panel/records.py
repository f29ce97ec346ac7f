"""Address space and history: mostly to be looked at."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.roles import Role, role_of
from apps.delivery.changes import Change, record
from apps.delivery.models import Operation
from apps.ipam.models import Address, Pool, Subnet
from apps.ipam.services import store_pool
from apps.panel.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm, show_state


@admin.register(Subnet)
class SubnetAdmin(ReadOnlyAdmin):
    list_display = ["cidr", "family", "gateway", "range_cidr", "holder", "requested"]
    list_filter = ["family", "requested"]
    search_fields = ["cidr", "holder"]
    readonly_fields = (
        "cidr",
        "family",
        "gateway",
        "range_cidr",
        "space",
        "holder",
        "requested",
    )
    fields = readonly_fields


@admin.register(Address)
class AddressAdmin(ReadOnlyAdmin):
    list_display = ["text", "subnet", "purpose", "name", "holder"]
    list_filter = ["purpose"]
    search_fields = ["text", "name", "holder"]
    list_select_related = ["subnet"]
    readonly_fields = (
        "text",
        "subnet",
        "purpose",
        "name",
        "holder",
    )
    fields = readonly_fields


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor_name", "action", "subject_name", "host", "row_state", "message"]
    list_filter = ["outcome", "subject", "action", "host", "actor_name"]
    search_fields = ["subject_name", "subject_id", "actor_name", "request"]
    list_select_related = ["host"]
    date_hierarchy = "at"

    @show_state
    def row_state(self, operation: Operation) -> str:
        return operation.outcome

    readonly_fields = (
        "at",
        "actor_name",
        "action",
        "subject",
        "subject_id",
        "subject_name",
        "detail",
        "after",
        "host",
        "outcome",
        "message",
        "finished",
        "request",
    )
    fields = readonly_fields


class PoolForm(ServiceForm):
    class Meta:
        model = Pool
        fields = ["name", "space", "base", "size", "position"]

    @transaction.atomic
    def perform(self, given: dict[str, Any]) -> models.Model:
        action = "pool.change" if self.instance.pk else "pool.create"
        pool = store_pool(Pool(pk=self.instance.pk, **given))
        record(Change(actor=cast(User, self.request.user), action=action, detail=given), pool, None)
        return pool


@admin.register(Pool)
class PoolAdmin(ServiceAdmin):
    """As in REST, only administrators change pools."""

    list_display = ["name", "space", "base", "size", "position"]
    list_filter = ["space"]
    add_form = PoolForm
    change_form = PoolForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pool]:
        return Pool.objects.all()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    @transaction.atomic
    def remove(self, request: HttpRequest, row: Pool) -> None:
        actor = cast(User, request.user)
        record(Change(actor=actor, action="pool.remove", detail={"base": row.base}), row, None)
        row.delete()
