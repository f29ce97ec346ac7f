"""What every door does with a token that is shown there: REST, WebSockets, and the Docker Engine API."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.accounts.models import ApiToken
from apps.accounts.throttle import refuse_bad_token
from apps.accounts.tokens import BadToken, recognise
from netadmin.proxies import find_address

SCHEME = "Bearer"
SIGN_IN = "Sign in first: send a token, or log in to the web page."
"""Said to nobody."""
Recognise = Callable[[str], ApiToken]
"""Whose token a text is; raises `BadToken` when it opens nothing."""


def read_bearer(authorization: str) -> str | None:
    """The token of an Authorization header; None of another scheme."""
    scheme, _, text = authorization.partition(" ")
    return text.strip() if scheme.lower() == SCHEME.lower() else None


def admit(text: str, address: str) -> ApiToken:
    """As `recognise`, for who comes in from `address`: a bad token is counted there, and after too many TooMany.

    Whoever is in already is looked at again by `recognise` alone: it is no try.
    """
    try:
        return recognise(text)
    except BadToken:
        refuse_bad_token(address)
        raise


def address_of(scope: Mapping[str, Any]) -> str:
    """Where an ASGI connection comes from, as Django's requests have it; "" over a Unix socket."""
    client = scope.get("client")
    given = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    return find_address(str(client[0]) if client else "", b",".join(given).decode("latin-1"))
