"""Containers, and what may be done to them."""

import shlex
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold import widgets

from apps.containers import ports
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import find_container, find_network
from apps.networks.services import lifecycle
from apps.networks.services.attachments import Wish
from apps.panel.actions import confirmed
from apps.panel.base import ReadOnlyInline, ServiceAdmin, ServiceForm, change, each, show_state
from apps.panel.fields import Pairs, Words, host_choice, line


class ContainerForm(ServiceForm):
    host = host_choice()
    name = line("Empty: made from its id.", required=False)
    networks = Words(help_text="Names or ids, separated by blanks; empty: the default bridge.")
    hostname = line("Empty: made from its id.", required=False)
    command = line("Empty: a namespace without a process.", required=False)
    env = Pairs(help_text="Variables: NAME=value, one a line.")
    labels = Pairs(help_text="key=value, one a line.")
    ports = Words(
        help_text="Published: [[ADDRESS:]HOST_PORT:]PORT[/udp], separated by blanks; ranges FIRST-LAST."
    )
    start = forms.BooleanField(required=False, initial=True, widget=widgets.UnfoldBooleanSwitchWidget)

    class Meta:
        model = Container
        fields: list[str] = []

    def clean_command(self) -> list[str]:
        try:
            return shlex.split(self.cleaned_data["command"])
        except ValueError as error:
            raise ValidationError(f"The command cannot be split into words: {error}.") from error

    def perform(self, given: dict[str, Any]) -> Any:
        fields: dict[str, Any] = {key: given[key] or None for key in ("name", "hostname")}
        fields |= {key: given[key] for key in ("command", "env", "labels", "start")}
        names = given["networks"] or ["bridge"]
        published = ports.read(given["ports"])

        def work(locked: Host) -> Container:
            wanted: list[tuple[Network, Wish]] = [(find_network(name, locked), Wish()) for name in names]
            return lifecycle.create_container(locked, attachments=wanted, published=published, **fields)

        # Values of variables are often secrets: the history keeps their names only.
        detail = {**fields, "env": sorted(given["env"]), "networks": names, "ports": given["ports"]}
        return change(self.request, given["host"], "container.create", work, detail=detail)


class RenameForm(ServiceForm):
    name = line()

    class Meta:
        model = Container
        fields = ["name"]

    def perform(self, given: dict[str, Any]) -> Any:
        container, name = Container.objects.select_related("host").get(pk=self.instance.pk), given["name"]
        if name == container.name:
            return container
        return change(
            self.request,
            container.host,
            "container.rename",
            lambda locked: lifecycle.rename_container(locked, find_container(container.pk, locked), name),
            detail={"name": name},
        )


class EndpointInline(ReadOnlyInline):
    model = Endpoint
    fields = ["network", "interface", "mac", "ipv4", "ipv6", "applied", "error"]
    readonly_fields = fields
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        endpoints: QuerySet[Endpoint] = super().get_queryset(request)
        return endpoints.filter(removing=False).select_related("container", "network")


@admin.register(Container)
class ContainerAdmin(ServiceAdmin):
    list_display = ["name", "host", "row_state", "wanted", "command", "created", "error"]
    list_filter = ["host", "state", "host_network"]
    search_fields = [
        "name",
        "id",
        "hostname",
        "endpoints__ipv4",
        "endpoints__mac",
        "endpoints__aliases__name",
    ]
    list_select_related = ["host"]
    add_form = ContainerForm
    change_form = RenameForm
    shown = [
        "id",
        "host",
        "hostname",
        "state",
        "wanted",
        "command",
        "labels",
        "published",
        "stop_timeout",
        "restart_policy",
        "restart_count",
        "created",
        "started",
        "finished",
        "exit_code",
        "exit_message",
        "error",
    ]
    inlines = [EndpointInline]
    actions = ["start", "stop", "restart", "remove_selected"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_entitled(request, "container.rename", obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is None else self.inlines

    @admin.display(description="Published ports")
    def published(self, container: Container) -> str:
        """As they were asked for, and which port of the host each has now."""
        return ", ".join(
            ports.write(port) + (f" by {port.host_port}" if port.host_port and container.running else "")
            for port in container.ports.all()
        )

    @show_state
    def row_state(self, container: Container) -> str:
        return container.state

    @admin.action(description="Start", permissions=["operate"])
    def start(self, request: HttpRequest, rows: QuerySet[Container]) -> None:
        _each(request, rows, "container.start", lifecycle.start_container)

    @admin.action(description="Stop", permissions=["operate"])
    def stop(self, request: HttpRequest, rows: QuerySet[Container]) -> None:
        _each(request, rows, "container.stop", lifecycle.stop_container)

    @admin.action(description="Restart", permissions=["operate"])
    def restart(self, request: HttpRequest, rows: QuerySet[Container]) -> None:
        _each(request, rows, "container.restart", lifecycle.restart_container)

    @admin.action(description="Remove", permissions=["operate"])
    @confirmed("Remove these containers?")
    def remove_selected(self, request: HttpRequest, rows: QuerySet[Container]) -> None:
        _each(request, rows, "container.remove", lifecycle.remove_container)

    def remove(self, request: HttpRequest, row: Container) -> None:
        change(
            request,
            row.host,
            "container.remove",
            lambda locked: lifecycle.remove_container(locked, find_container(row.pk, locked)),
        )


def _each(request: HttpRequest, rows: QuerySet[Container], action: str, work: Any) -> None:
    each(
        request,
        list(rows.select_related("host")),
        action,
        lambda row, locked: work(locked, find_container(row.pk, locked)),
    )
