"""Accounts of each role, signed in."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from apps.accounts.services import ensure_accounts
from apps.accounts.tokens import issue

ROLES = ("admin", "operator", "read-only", "nobody")


def make_user(role: str) -> User:
    ensure_accounts("correct horse")
    if role == "admin":
        return User.objects.get(username="admin")
    user, _ = User.objects.get_or_create(username=role)
    if role == "operator":
        user.groups.set(user.groups.model.objects.filter(name="operators"))
    return user


def make_client(role: str) -> Any:
    client = APIClient(raise_request_exception=True)
    if role != "nobody":
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(make_user(role), 'test')[1]}")
    return client
