"""What happens around an action on chosen rows: a question before something is destroyed, a word on what came of it."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.common.errors import DomainError

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def confirmed(question: str) -> Callable[[Action], Action]:
    """The action only happens when `question` was answered; before, the chosen rows are shown with it."""

    def decorate(action: Action) -> Action:
        @wraps(action)
        def ask_first(page: Any, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            if request.POST.get("confirmed") == "yes":
                return action(page, request, rows)
            context = {
                **page.admin_site.each_context(request),
                "title": question,
                "opts": page.model._meta,
                "rows": rows,
                "action": action.__name__,
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "panel/confirm.html", context)

        return ask_first

    return decorate


def do_each(request: HttpRequest, rows: Iterable[Any], done: str, act: Callable[[Any], object]) -> None:
    """One after the other; what is refused is told, the others are done and named after the word `done`."""
    names = []
    for row in rows:
        name = str(row)
        try:
            act(row)
        except DomainError as error:
            messages.error(request, error.message)
        else:
            names.append(name)
    if names:
        messages.success(request, f"{done}: {', '.join(names)}.")
