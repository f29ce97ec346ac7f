"""What a person may do: administrators everything, operators change networks, everybody else looks.

What a team may change beyond that is a matter of its grants.
"""

from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import QuerySet

from apps.accounts.models import Grant
from apps.common.statements import select_once

OPERATORS = "operators"
"""The group whose members are operators."""
ADMINISTRATOR = "admin"
"""The account that is made at the first start; root on the server's own machine acts as it."""


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    READER = "read-only"


def role_of(user: AbstractBaseUser | AnonymousUser | None) -> Role | None:
    """The role of an account, None for nobody."""
    if not isinstance(user, User) or not user.is_active:
        return None
    if user.is_superuser:
        return Role.ADMIN
    return Role.OPERATOR if user.groups.filter(name=OPERATORS).exists() else Role.READER


def account(user: AbstractBaseUser | AnonymousUser | None) -> User:
    """Who is signed in, where a permission has seen to it that somebody is."""
    assert isinstance(user, User)
    return user


def may_change(user: AbstractBaseUser | AnonymousUser | None) -> bool:
    return role_of(user) in (Role.ADMIN, Role.OPERATOR)


def may_change_something(user: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether it is worth asking `apps/delivery/rights.py`: everybody else may change nothing at all."""
    role = role_of(user)
    if role is Role.READER:
        return Grant.objects.filter(team__user=account(user)).exists()
    return role is not None


def local_administrator() -> User | None:
    """The account for root on the server's own machine: "admin", else the oldest administrator."""
    found = _administrators_named(ADMINISTRATOR) or _administrators()
    return found[0] if found else None


@select_once
def _administrators_named(name: str) -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True, username=name)


@select_once
def _administrators() -> QuerySet[User]:
    """The oldest."""
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk")[:1]
