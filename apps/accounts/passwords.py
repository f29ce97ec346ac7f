"""Signing in with a password: the one way, whatever page or call asks."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from apps.accounts.throttle import begin_try, end_try, forgive_try


class PasswordBackend(ModelBackend):
    """Django's, with a limit to what may be tried; TooMany is raised beyond it."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        address = request.META.get("REMOTE_ADDR", "") if request is not None else ""
        begin_try(username, address)
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is None:
            end_try(username, address)
            return None
        forgive_try(username, address)
        assert isinstance(user, User)
        return user
