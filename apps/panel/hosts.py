"""Hosts: added with a join command, drained, renewed, revoked, removed."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.roles import Role, may_change, role_of
from apps.delivery import joining
from apps.delivery.changes import Change
from apps.hosts.models import Host
from apps.panel.actions import confirmed, do_each
from apps.panel.base import ServiceAdmin, ServiceForm, show_state
from apps.panel.fields import line
from workers.contract.joining import Token


def ask(request: HttpRequest, action: str, **detail: Any) -> Change:
    return Change(actor=cast(User, request.user), action=action, detail=detail)


def tell_command(request: HttpRequest, host: Host, token: Token) -> None:
    """Shown this once."""
    command = joining.word_command(token, request.build_absolute_uri("/"))
    messages.success(request, f"Run as root on {host.name}, within an hour; it works once: {command}")


class HostForm(ServiceForm):
    name = line()
    advertise = line("Its address for tunnels; overlay networks need it.", required=False)

    class Meta:
        model = Host
        fields: list[str] = []

    def perform(self, given: dict[str, Any]) -> Any:
        name, advertise = given["name"], given["advertise"] or None
        asked = ask(self.request, "host.add", name=name, advertise=advertise)
        host, token = joining.add_host(asked, name, advertise)
        tell_command(self.request, host, token)
        return host


class MoveForm(ServiceForm):
    advertise = line(
        "Its address for tunnels; empty: none, and no overlay network can be on it.", required=False
    )

    class Meta:
        model = Host
        fields = ["advertise"]

    def perform(self, given: dict[str, Any]) -> Any:
        host, advertise = Host.objects.get(pk=self.instance.pk), given["advertise"] or None
        if advertise == host.advertise:
            return host
        return joining.move(ask(self.request, "host.set", advertise=advertise), host, advertise)


@admin.register(Host)
class HostAdmin(ServiceAdmin):
    add_form = HostForm
    list_display = [
        "name",
        "advertise",
        "row_state",
        "drained",
        "version",
        "kernel",
        "lag",
        "last_seen",
        "problems",
    ]
    list_filter = ["drained", "revoked"]
    search_fields = ["name"]
    actions = ["drain", "undrain", "renew", "revoke", "remove_by_force"]
    change_form = MoveForm
    shown = [
        "name",
        "state",
        "drained",
        "outdated",
        "created",
        "last_seen",
        "version",
        "kernel",
        "revision",
        "acked_revision",
        "lag",
        "routes",
        "underlays",
        "nameservers",
        "problems",
        "look",
    ]

    @show_state
    def row_state(self, host: Host) -> str:
        return host.state

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_change(request.user)

    def has_administer_permission(self, request: HttpRequest) -> bool:
        """For actions."""
        return role_of(request.user) is Role.ADMIN

    @admin.action(description="Drain: put nothing new on it", permissions=["operate"])
    def drain(self, request: HttpRequest, rows: QuerySet[Host]) -> None:
        do_each(
            request,
            rows,
            "Drained",
            lambda host: joining.drain_host(ask(request, "host.drain"), host, drained=True),
        )

    @admin.action(description="Use again", permissions=["operate"])
    def undrain(self, request: HttpRequest, rows: QuerySet[Host]) -> None:
        do_each(
            request,
            rows,
            "In use again",
            lambda host: joining.drain_host(ask(request, "host.undrain"), host, drained=False),
        )

    @admin.action(description="Renew: a new join command", permissions=["administer"])
    def renew(self, request: HttpRequest, rows: QuerySet[Host]) -> None:
        do_each(
            request,
            rows,
            "Renewed",
            lambda host: tell_command(request, host, joining.renew_host(ask(request, "host.renew"), host)),
        )

    @admin.action(description="Revoke: end its key and login", permissions=["administer"])
    @confirmed("Revoke these hosts? Their keys and broker logins end.")
    def revoke(self, request: HttpRequest, rows: QuerySet[Host]) -> None:
        do_each(request, rows, "Revoked", lambda host: joining.revoke_host(ask(request, "host.revoke"), host))

    @admin.action(description="Remove by force: with all that is on it", permissions=["administer"])
    @confirmed("Remove these hosts with all networks, containers and endpoints on them?")
    def remove_by_force(self, request: HttpRequest, rows: QuerySet[Host]) -> None:
        do_each(
            request,
            rows,
            "Removed",
            lambda host: joining.remove_host(ask(request, "host.remove", force=True), host, force=True),
        )

    def remove(self, request: HttpRequest, row: Host) -> None:
        joining.remove_host(ask(request, "host.remove"), row, force=False)
