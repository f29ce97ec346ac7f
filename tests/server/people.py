"""Accounts of each role, signed in."""

from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from apps.accounts.models import Grant
from apps.accounts.services import ensure_accounts
from apps.accounts.tokens import issue

ROLES = ("admin", "operator", "member", "read-only", "nobody")
TEAM = "blue"
"""The member's; it may change what bears the label `team=blue`."""


def make_user(role: str) -> User:
    ensure_accounts("correct horse")
    if role == "admin":
        return User.objects.get(username="admin")
    user, _ = User.objects.get_or_create(username=role)
    if role == "operator":
        user.groups.set(Group.objects.filter(name="operators"))
    if role == "member":
        user.groups.set([Group.objects.get_or_create(name=TEAM)[0]])
        grant(label="team", value=TEAM)
    return user


def grant(*, team: str = TEAM, **fields: Any) -> Grant:
    group, _ = Group.objects.get_or_create(name=team)
    made, _ = Grant.objects.get_or_create(team=group, **fields)
    return made


def make_client(role: str) -> Any:
    client = APIClient(raise_request_exception=True)
    if role != "nobody":
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(make_user(role), 'test')[1]}")
    return client
