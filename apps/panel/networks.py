"""Networks, and what is attached to them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold import widgets

from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import WIRED, Alias, Driver, Endpoint, Link, Network
from apps.networks.rules import ask_subnet, read_link
from apps.networks.selectors import find_container, find_network, state_of, subnets_of
from apps.networks.services import endpoints as endpoint_services
from apps.networks.services import networks as network_services
from apps.networks.services import overlays
from apps.networks.services.attachments import Wish
from apps.networks.services.batches import Wanted
from apps.panel.actions import confirmed, do_each
from apps.panel.base import ReadOnlyInline, ServiceAdmin, ServiceForm, change, change_on_all, show_state
from apps.panel.fields import Pairs, Words, choice, host_choice, line


class NetworkForm(ServiceForm):
    driver = forms.ChoiceField(
        choices=[(driver.value, driver.label) for driver in WIRED],
        required=False,
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="An overlay spans hosts; a macvlan needs the option parent.",
    )
    host = host_choice()
    name = line()
    subnet = line("Empty: the next free block of the pools.", required=False)
    gateway = line("Empty: the lowest address.", required=False)
    ip_range = line("Automatic addresses are taken from this part.", label="IP range", required=False)
    aux_addresses = Pairs(help_text="Addresses to keep free: name=address, one a line.")
    internal = forms.BooleanField(required=False, widget=widgets.UnfoldBooleanSwitchWidget)
    enable_ipv6 = forms.BooleanField(
        label="IPv6 addresses too", required=False, widget=widgets.UnfoldBooleanSwitchWidget
    )
    subnet_ipv6 = line("With IPv6; empty: chosen.", label="IPv6 subnet", required=False)
    options = Pairs(help_text="Driver options: key=value, one a line.")
    labels = Pairs(help_text="key=value, one a line.")

    class Meta:
        model = Network
        fields: list[str] = []

    def perform(self, given: dict[str, Any]) -> Any:
        subnet, gateway, ip_range = (given[key] or None for key in ("subnet", "gateway", "ip_range"))
        wanted = []
        if subnet or gateway or ip_range or given["aux_addresses"]:
            wanted.append(ask_subnet(subnet, gateway, ip_range, given["aux_addresses"]))
        if given["subnet_ipv6"]:
            wanted.append(ask_subnet(given["subnet_ipv6"], None, None, {}))
        fields = {key: given[key] for key in ("name", "internal", "enable_ipv6", "options", "labels")}
        driver = given["driver"] or Driver.BRIDGE
        detail = {**fields, "driver": driver, "subnets": [request.cidr for request in wanted]}
        if driver == Driver.OVERLAY:
            return change_on_all(
                self.request,
                "network.create",
                lambda: (overlays.create_overlay(subnets=wanted, **fields), ()),
                detail=detail,
            )
        return change(
            self.request,
            given["host"],
            "network.create",
            lambda locked: network_services.create_network(locked, driver=driver, subnets=wanted, **fields),
            detail=detail,
        )


class EndpointInline(ReadOnlyInline):
    model = Endpoint
    fields = ["container", "interface", "mac", "ipv4", "ipv6", "applied", "error"]
    readonly_fields = fields
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        endpoints: QuerySet[Endpoint] = super().get_queryset(request)
        return endpoints.filter(removing=False).select_related("container", "network")


@admin.register(Network)
class NetworkAdmin(ServiceAdmin):
    list_display = [
        "name",
        "host",
        "driver",
        "subnets",
        "containers",
        "internal",
        "row_state",
        "error",
        "created",
    ]
    list_filter = ["host", "driver", "predefined", "internal"]
    search_fields = ["name", "id"]
    list_select_related = ["host"]
    add_form = NetworkForm
    actions = ["remove_selected"]
    shown = [
        "id",
        "name",
        "host",
        "driver",
        "subnets",
        "internal",
        "enable_ipv6",
        "options",
        "labels",
        "created",
        "removing",
        "applied",
        "error",
    ]
    inlines = [EndpointInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Network]:
        attached = Count("endpoints", filter=Q(endpoints__removing=False))
        networks: QuerySet[Network] = super().get_queryset(request)
        return networks.annotate(attached=attached).prefetch_related("memberships")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is None else self.inlines

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        page = getattr(response, "context_data", {}).get("cl")
        if page is not None:
            # One query for the whole page, which `subnets` reads below.
            listed = list(page.result_list)
            by_network = subnets_of([network.pk for network in listed])
            for network in listed:
                network.listed_subnets = by_network[network.pk]
            page.result_list = listed
        return response

    @admin.display
    def subnets(self, network: Any) -> str:
        listed = getattr(network, "listed_subnets", None)
        found = subnets_of([network.pk])[network.pk] if listed is None else listed
        return ", ".join(subnet.cidr for subnet in found)

    @show_state
    def row_state(self, network: Network) -> str:
        return state_of(network)

    @admin.action(description="Remove", permissions=["operate"])
    @confirmed("Remove these networks?")
    def remove_selected(self, request: HttpRequest, rows: QuerySet[Network]) -> None:
        do_each(request, rows, "Removed", lambda row: self.remove(request, row))

    @admin.display(ordering="attached")
    def containers(self, network: Any) -> int:
        return int(network.attached)

    def remove(self, request: HttpRequest, row: Network) -> None:
        if row.host is None:
            change_on_all(request, "network.remove", lambda: (row, overlays.remove_overlay(row)))
            return
        change(
            request,
            row.host,
            "network.remove",
            lambda locked: network_services.remove_network(locked, find_network(row.pk, locked)),
        )


class EndpointForm(ServiceForm):
    container = choice(Container.objects.exclude(wanted=Container.Wanted.REMOVING).select_related("host"))
    network = choice(Network.objects.filter(removing=False).select_related("host"))
    ipv4_address = line("Empty: the lowest free one.", required=False)
    ipv6_address = line(required=False)
    mac_address = line("Empty: made from the address.", required=False)
    aliases = Words(help_text="Names that everybody on the network can use; separated by blanks.")
    links = Words(help_text="CONTAINER:ALIAS, names that only this container can use; separated by blanks.")
    gateway_priority = forms.IntegerField(
        initial=0,
        min_value=-(2**31),
        max_value=2**31 - 1,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="The highest one gives the default route.",
    )

    class Meta:
        model = Endpoint
        fields: list[str] = []

    def perform(self, given: dict[str, Any]) -> Any:
        container = given["container"]
        network = find_network(given["network"].pk, container.host)
        wish = Wish(
            ipv4=given["ipv4_address"] or None,
            ipv6=given["ipv6_address"] or None,
            mac=given["mac_address"] or None,
            aliases=given["aliases"],
            links=[read_link(text) for text in given["links"]],
            priority=given["gateway_priority"],
        )
        wanted = Wanted(network, container, wish)
        detail = {**given, "network": network.name, "container": container.name}
        return change(self.request, container.host, "endpoint.connect", wanted, detail=detail)


class AliasInline(ReadOnlyInline):
    model = Alias


class LinkInline(ReadOnlyInline):
    model = Link


@admin.register(Endpoint)
class EndpointAdmin(ServiceAdmin):
    list_display = ["container", "network", "host", "interface", "ipv4", "ipv6", "mac", "row_state", "error"]
    list_filter = ["host", "network", "removing"]
    search_fields = ["container__name", "network__name", "ipv4", "ipv6", "mac", "id", "aliases__name"]
    list_select_related = ["container", "network", "host"]
    add_form = EndpointForm
    actions = ["disconnect_selected"]
    removal = "endpoint.disconnect"
    shown = [
        "id",
        "container",
        "network",
        "host",
        "interface",
        "mac",
        "ipv4",
        "ipv6",
        "priority",
        "created",
        "removing",
        "applied",
        "error",
    ]
    inlines = [AliasInline, LinkInline]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is None else self.inlines

    @show_state
    def row_state(self, endpoint: Endpoint) -> str:
        return state_of(endpoint)

    @admin.action(description="Disconnect", permissions=["operate"])
    def disconnect_selected(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> None:
        do_each(request, rows, "Disconnected", lambda row: self.remove(request, row))

    def remove(self, request: HttpRequest, row: Endpoint) -> None:
        """Disconnect; one whose removal is stuck already is forgotten."""
        detail: dict[str, Any] = {"network": row.network.name, "container": row.container.name}

        def work(locked: Host) -> Endpoint | Network:
            network = find_network(row.network_id, locked)
            if not row.removing:
                container = find_container(row.container_id, locked)
                return endpoint_services.disconnect(locked, network, container)
            detail["forgotten"] = True
            return endpoint_services.disconnect_by_force(locked, network, row.pk) or network

        change(request, row.host, "endpoint.disconnect", work, detail=detail)
