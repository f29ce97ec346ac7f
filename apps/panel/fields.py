"""Form fields of the panel, in its look."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from unfold import widgets

from apps.hosts.models import Host

LONGEST = 255


def line(help_text: str = "", **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        max_length=LONGEST, help_text=help_text, widget=widgets.UnfoldAdminTextInputWidget, **kwargs
    )


def choice(rows: QuerySet[Any], **kwargs: Any) -> "Located":
    return Located(queryset=rows, widget=widgets.UnfoldAdminSelectWidget, **kwargs)


def host_choice() -> "Located":
    """Any host; at first the server's own, as everywhere else."""

    def own() -> Host | None:
        return Host.objects.filter(name=settings.ENVIRONMENT.host_name).first()

    return Located(queryset=Host.objects.all(), initial=own, widget=widgets.UnfoldAdminSelectWidget)


class Located(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Shows on which host a row is, because names repeat."""

    def label_from_instance(self, obj: Any) -> str:
        host = getattr(obj, "host", None)
        return f"{obj} on {host}" if host else str(obj)


class Words(forms.CharField):
    """Words separated by blanks, as a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False, max_length=16 * 1024, widget=widgets.UnfoldAdminTextInputWidget, **kwargs
        )

    def to_python(self, value: Any) -> Any:
        return str(super().to_python(value)).split()


class Pairs(forms.CharField):
    """Lines of key=value, as a dict."""

    def __init__(self, **kwargs: Any) -> None:
        widget = widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3})
        super().__init__(required=False, max_length=64 * 1024, widget=widget, **kwargs)

    def clean(self, value: Any) -> Mapping[str, str]:
        pairs = {}
        for text in str(super().clean(value)).splitlines():
            key, _, given = text.strip().partition("=")
            if len(key) > LONGEST:
                raise ValidationError(f"A key has at most {LONGEST} characters.")
            if key:
                pairs[key] = given
        return pairs
