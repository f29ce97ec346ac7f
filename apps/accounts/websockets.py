"""How WebSockets sign in: like REST requests, and a session only from our own pages."""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from apps.accounts.doors import Recognise, address_of, admit, read_bearer
from apps.accounts.local import is_local
from apps.accounts.roles import local_administrator
from apps.accounts.tokens import BadToken

Scope = dict[str, Any]


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}


def same_origin(scope: Scope) -> bool:
    """Whether the page that opens the socket came from the host that it opens it to.

    Browsers send cookies with a socket that any page opens; its Origin is what tells our pages from others.
    """
    headers = _headers(scope)
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get(b"host", b"").lower()


@database_sync_to_async
def _user_without_session(scope: Scope, recognise: Recognise) -> User | None:
    authorization = _headers(scope).get(b"authorization", b"").decode("latin-1")
    if not authorization:
        return local_administrator() if is_local(scope) else None
    text = read_bearer(authorization)
    try:
        return None if text is None else recognise(text).user
    except BadToken:
        return None


class Authenticated:
    """Gives `inner` a scope with `user`; without one it is an anonymous or missing user.

    `recognise` says whose a token is; without it, it is shown at this door. Raises TooMany.
    """

    def __init__(self, inner: Any, recognise: Recognise | None = None) -> None:
        self.inner, self.recognise = inner, recognise
        self.with_session: Any = AuthMiddlewareStack(inner)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        recognise = self.recognise or partial(admit, address=address_of(scope))
        user = await _user_without_session(scope, recognise)
        if user is not None:
            await self.inner({**scope, "user": user}, receive, send)
        elif b"authorization" not in _headers(scope) and same_origin(scope):
            await self.with_session(scope, receive, send)
        else:
            await self.inner({**scope, "user": None}, receive, send)
