"""People, their groups and their tokens; for administrators."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from django.db import models
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts.models import ApiToken
from apps.accounts.roles import Role, role_of
from apps.accounts.tokens import issue
from apps.panel.base import BaseAdmin, ServiceAdmin, ServiceForm
from apps.panel.fields import line

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

    class Meta:
        model = ApiToken
        fields = ["name", "user", "expires"]

    def perform(self, given: dict[str, Any]) -> models.Model:
        token, text = issue(given["user"], given["name"], expires=given["expires"])
        messages.warning(self.request, f"The token is {text} – it is shown this once.")
        return token


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
