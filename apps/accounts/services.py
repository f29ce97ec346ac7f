"""The accounts that exist from the start."""

import secrets

from django.contrib.auth.models import Group, User

from apps.accounts.roles import ADMINISTRATOR, OPERATORS


def ensure_accounts(password: str | None) -> str | None:
    """Make the operators' group and the administrator; the password when it was made up here.

    A `password` that is given becomes the administrator's.
    """
    Group.objects.get_or_create(name=OPERATORS)
    user, made = User.objects.get_or_create(
        username=ADMINISTRATOR, defaults={"is_superuser": True, "is_staff": True}
    )
    if password:
        if made or not user.check_password(password):
            _set_password(user, password)
        return None
    if not made:
        return None
    random = secrets.token_urlsafe(12)
    _set_password(user, random)
    return random


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
