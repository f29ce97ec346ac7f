"""Issuing and recognising API tokens."""

import re
import secrets
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from apps.accounts.models import ApiToken, hash_secret
from apps.common.errors import Forbidden, Invalid
from apps.common.statements import select_once

TEXT = re.compile(r"nad_([0-9a-f]{16})\.([A-Za-z0-9_-]{20,100})\Z")
RESOLUTION = timedelta(minutes=1)
"""How exactly the last use is kept: a write per request would cost more than the request."""


class BadToken(Exception):
    """The token is unknown, expired, or its owner may not sign in; the text says it to a person."""


def usual_end(by: ApiToken | None = None) -> datetime:
    """When a token ends of which nobody said when; not after the token with which it is asked for."""
    end = datetime.now(UTC) + timedelta(days=settings.ENVIRONMENT.token_days)
    return min(end, by.expires) if by is not None and by.expires is not None else end


def issue(
    user: User, name: str, *, expires: datetime | None = None, by: ApiToken | None = None
) -> tuple[ApiToken, str]:
    """A new token and its text, which cannot be had again. `by`: the token with which it is asked for."""
    check_end(expires, by)
    key, salt, secret = secrets.token_hex(8), secrets.token_hex(16), secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        key=key, salt=salt, digest=hash_secret(salt, secret), name=name, user=user, expires=expires
    )
    return token, f"nad_{key}.{secret}"


def check_end(expires: datetime | None, by: ApiToken | None) -> None:
    """Of a token or certificate that is asked for with the token `by`."""
    if expires is not None and expires <= datetime.now(UTC):
        raise Invalid("expired", "It would have expired already; choose a day to come.", "expires")
    if by is not None and by.expires is not None and (expires is None or expires > by.expires):
        raise Forbidden("outlives", "A token cannot make anything that lives longer than itself.", "expires")


@select_once
def _with_key(key: str) -> QuerySet[ApiToken]:
    return ApiToken.objects.select_related("user").filter(key=key).order_by()


def recognise(text: str) -> ApiToken:
    """The token, with its user; `BadToken` when it opens nothing."""
    match = TEXT.match(text)
    found = _with_key(match[1]) if match else []
    if not match or not found or not found[0].fits(match[2]):
        raise BadToken("The token is not known here; sign in again.")
    token = found[0]
    now = datetime.now(UTC)
    if token.expired(now):
        raise BadToken("The token has expired; sign in again.")
    if not token.user.is_active:
        raise BadToken("The account of the token is closed.")
    if token.last_used is None or now - token.last_used >= RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
    return token
