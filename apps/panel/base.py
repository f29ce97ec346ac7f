"""What all pages of the admin panel share.

For the plain look, take ModelAdmin and TabularInline here from django.contrib.admin, and its widgets in `fields`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin as LookAdmin
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.accounts.roles import may_change_something, role_of
from apps.common.errors import DomainError
from apps.common.fields import given_as
from apps.delivery.changes import Change, carry_out, carry_out_on_all, refuse_failed
from apps.delivery.models import Operation
from apps.delivery.rights import may
from apps.hosts.models import Host
from apps.panel.actions import do_each


class _Untied(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pages that are not one transaction: a host hears of a change, and answers, when it is committed."""

    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return cast(HttpResponse, self._changeform_view(*args, **kwargs))  # type: ignore[attr-defined]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return cast(HttpResponse, self._delete_view(request, object_id, extra_context))  # type: ignore[attr-defined]


class BaseAdmin(LookAdmin, _Untied):  # type: ignore[misc]
    """Roles and grants decide here as in REST: a page offers what the change itself would not refuse."""

    removal = ""
    """The action that takes a row away; empty: the model's name and `.remove`."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is not None

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return role_of(request.user) is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_change_something(request.user)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.is_entitled(request, self.removal or f"{self.opts.model_name}.remove", obj)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """For actions."""
        return may_change_something(request.user)

    def is_entitled(self, request: HttpRequest, action: str, obj: models.Model | None) -> bool:
        """To do this to the row; None: to any."""
        return may_change_something(request.user) if obj is None else may(request.user, action, obj)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Only columns that are shown narrow a list. Django takes any: by whether a beginning fits, whoever may look
        at hosts would read their keys letter by letter."""
        name = lookup.partition("__")[0]
        columns = {column.name for column in self.opts.get_fields()} | {"pk"}
        searched = (field.lstrip("^=@").partition("__")[0] for field in self.search_fields)
        filtered = (each for each in self.list_filter if isinstance(each, str))
        shown = {"pk", "id", *self.list_display, *searched, *filtered, *getattr(self, "shown", ())}
        if name in columns - shown:
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The operations on the object: there is one history, whoever asked for a change and wherever."""
        address = reverse("admin:delivery_operation_changelist")
        return redirect(
            f"{address}?{urlencode({'subject__exact': self.opts.model_name, 'subject_id__exact': object_id})}"
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # It would delete rows and not ask the services.
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }


class ReadOnlyAdmin(BaseAdmin):
    """Can be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return True


def change(
    request: HttpRequest,
    host: Host,
    action: str,
    work: Callable[[Host], models.Model],
    *,
    detail: dict[str, Any] | None = None,
    wait: bool = True,
) -> models.Model:
    """Carry `work` out; Conflict when the host could not. A host that has not answered yet is mentioned."""
    asked = Change(actor=cast(User, request.user), action=action, detail=detail or {})
    return _told(request, *carry_out(asked, host, work, wait=wait))


def change_on_all(
    request: HttpRequest,
    action: str,
    work: Callable[[], tuple[models.Model, Sequence[Host]]],
    *,
    detail: dict[str, Any] | None = None,
) -> models.Model:
    """The same for what spans hosts."""
    asked = Change(actor=cast(User, request.user), action=action, detail=detail or {})
    return _told(request, *carry_out_on_all(asked, work))


def _told(request: HttpRequest, subject: models.Model, operation: Operation) -> models.Model:
    refuse_failed(operation)
    if operation.outcome == Operation.Outcome.PENDING:
        who = f"host {operation.host}" if operation.host else "a host"
        messages.warning(request, operation.message or f"Recorded; {who} has not answered yet.")
    return subject


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose last step of validation is the change itself: what a service refuses is a form error."""

    request: HttpRequest

    def perform(self, given: dict[str, Any]) -> models.Model:
        """Make the change; the changed or new object."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            self.instance = self.perform(self.cleaned_data)
        except DomainError as error:
            field = given_as(error.field)
            self.add_error(field if field in self.fields else None, error.message)


class ServiceAdmin(BaseAdmin):
    """Rows that only services write: adding is a `ServiceForm`, deleting is `remove`, all else is read-only."""

    add_form: type[ServiceForm]
    change_form: type[ServiceForm] | None = None
    shown: list[str] = []
    """What the page of one row shows."""

    def remove(self, request: HttpRequest, row: Any) -> None:
        raise NotImplementedError

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        form = self.add_form if obj is None else self.change_form
        if form is None:
            return cast(type[Any], super().get_form(request, obj, change, **kwargs))
        return type(form.__name__, (form,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return list(self.add_form.base_fields)
        return [*(self.change_form.base_fields if self.change_form else ()), *self.shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else self.shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has done it."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        # What else goes is the services' business, so that no protected row forbids it here.
        return [str(row) for row in objs], {}, set(), []

    def _delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None
    ) -> HttpResponse:
        try:
            return cast(HttpResponse, super()._delete_view(request, object_id, extra_context))
        except DomainError as error:
            messages.error(request, error.message)
            options = self.model._meta
            name = f"admin:{options.app_label}_{options.model_name}_change"
            return redirect(reverse(name, args=[object_id]))

    # The operations are the history; a second one that only knows of this panel would mislead.
    def log_addition(self, *args: Any) -> Any:
        pass

    def log_change(self, *args: Any) -> Any:
        pass

    def log_deletions(self, *args: Any) -> Any:
        pass


COLORS = {
    "active": "success",
    "running": "success",
    "online": "success",
    "done": "success",
    "pending": "warning",
    "starting": "warning",
    "restarting": "warning",
    "stopping": "warning",
    "removing": "warning",
    "invited": "warning",
    "failed": "danger",
    "offline": "danger",
    "revoked": "danger",
}
"""Of the badge that a state has in a list; the others are grey."""
Shown = TypeVar("Shown", bound=Callable[..., str])


def show_state(function: Shown) -> Shown:
    """A column of states, with their colours."""
    return cast(Shown, display(description="state", label=COLORS)(function))


def each(
    request: HttpRequest, rows: Sequence[Any], action: str, work: Callable[[Any, Host], models.Model]
) -> None:
    """One change after the other; waits for the host only when there is a single one."""
    do_each(
        request,
        rows,
        f"Recorded {action}",
        lambda row: change(request, row.host, action, partial(work, row), wait=len(rows) == 1),
    )
