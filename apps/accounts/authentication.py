"""How REST requests sign in; sessions are Django REST framework's own business."""

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.doors import SCHEME, admit, read_bearer
from apps.accounts.local import is_local
from apps.accounts.models import ApiToken
from apps.accounts.roles import local_administrator
from apps.accounts.tokens import BadToken


class LocalAdministrator(BaseAuthentication):
    """Root on the server's own machine, over the Unix socket. Who sends credentials is who they say."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        scope = getattr(request._request, "scope", None)
        if scope is None or "Authorization" in request.headers or not is_local(scope):
            return None
        user = local_administrator()
        return None if user is None else (user, None)

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer nad_<key>.<secret>`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        text = read_bearer(request.headers.get("Authorization", ""))
        if text is None:
            return None
        try:
            # Whose address it is, `netadmin.proxies` has said.
            token = admit(text, request.META.get("REMOTE_ADDR", ""))
        except BadToken as error:
            raise AuthenticationFailed(str(error), code="bad_token") from error
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME
