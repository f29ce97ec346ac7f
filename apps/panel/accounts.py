"""People, their teams and tokens, and what teams are granted; for administrators."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from django.db import models
from django.http import HttpRequest
from unfold import widgets
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts.models import ApiToken, ClientCertificate, Failure, Grant
from apps.accounts.roles import OPERATORS, Role, role_of
from apps.accounts.tokens import issue, usual_end
from apps.delivery import grants
from apps.delivery.changes import Change
from apps.networks.models import Network
from apps.panel.base import BaseAdmin, ServiceAdmin, ServiceForm
from apps.panel.fields import choice, line

admin.site.unregister(User)
admin.site.unregister(Group)


class _Administrators(BaseAdmin):
    """Whoever may change accounts can make themselves anything."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return role_of(request.user) is Role.ADMIN


@admin.register(User)
class UserAdmin(_Administrators, PlainUserAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(_Administrators, PlainGroupAdmin):
    pass


class TokenForm(ServiceForm):
    name = line("What it is for.")
    expires = forms.SplitDateTimeField(
        required=False,
        initial=usual_end,
        widget=widgets.UnfoldAdminSplitDateTimeWidget,
        help_text="Empty: it does not expire.",
    )

    class Meta:
        model = ApiToken
        fields = ["name", "user", "expires"]

    def perform(self, given: dict[str, Any]) -> models.Model:
        token, text = issue(given["user"], given["name"], expires=given["expires"])
        messages.warning(self.request, f"The token is {text} – it is shown this once.")
        return token


class GrantForm(ServiceForm):
    team = choice(Group.objects.exclude(name=OPERATORS))
    network = choice(Network.objects.filter(removing=False).select_related("host"), required=False)
    label = line("Instead of a network: whatever bears this label.", required=False)
    any_value = forms.BooleanField(
        required=False, widget=widgets.UnfoldBooleanSwitchWidget, help_text="The label with any value."
    )
    value = line("Of the label.", required=False)
    commands = forms.BooleanField(
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget,
        help_text="Members may also run commands, which are root on their host.",
    )

    class Meta:
        model = Grant
        fields: list[str] = []

    def perform(self, given: dict[str, Any]) -> models.Model:
        network, label = given["network"], given["label"] or None
        value = None if given["any_value"] or not label else given["value"]
        detail = {
            "team": given["team"].name,
            "network": network and network.pk,
            "label": label,
            "value": value,
        }
        detail["commands"] = given["commands"]
        asked = Change(actor=cast(User, self.request.user), action="grant.add", detail=detail)
        return grants.add(
            asked,
            team=given["team"].name,
            network=network,
            label=label,
            value=value,
            commands=given["commands"],
        )


@admin.register(Grant)
class GrantAdmin(_Administrators, ServiceAdmin):
    list_display = ["team", "network", "label", "value", "commands", "created"]
    list_select_related = ["team"]
    list_filter = ["team"]
    search_fields = ["team__name", "label", "network"]
    add_form = GrantForm
    shown = ["team", "network", "label", "value", "commands", "created"]

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def remove(self, request: HttpRequest, row: Grant) -> None:
        grants.remove(Change(actor=cast(User, request.user), action="grant.remove"), row)


@admin.register(ApiToken)
class TokenAdmin(_Administrators, ServiceAdmin):
    list_display = ["name", "user", "key", "created", "expires", "last_used"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    add_form = TokenForm
    shown = ["name", "user", "key", "created", "expires", "last_used"]

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def remove(self, request: HttpRequest, row: ApiToken) -> None:
        row.delete()


@admin.register(ClientCertificate)
class CertificateAdmin(_Administrators, ServiceAdmin):
    """They are made where their keys are: `netadmin certificate create`."""

    list_display = ["name", "user", "created", "expires", "last_used"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    shown = ["name", "user", "fingerprint", "created", "expires", "last_used"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def remove(self, request: HttpRequest, row: ClientCertificate) -> None:
        row.delete()


@admin.register(Failure)
class FailureAdmin(_Administrators):
    """Deleting a row unlocks."""

    list_display = ["account", "address", "count", "since"]
    search_fields = ["account", "address"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
