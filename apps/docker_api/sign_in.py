"""Who asks: the local root over a Unix socket, the holder of a token, or of a client certificate."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from apps.accounts.certificates import BadCertificate
from apps.accounts.certificates import recognise as recognise_certificate
from apps.accounts.doors import Recognise, read_bearer
from apps.accounts.local import is_local
from apps.accounts.roles import local_administrator, may_change_something, role_of
from apps.accounts.tokens import BadToken
from apps.common.errors import TooMany
from apps.docker_api.refusals import EngineError


def recognise_user(scope: Mapping[str, Any], headers: Mapping[str, str], recognise: Recognise) -> User:
    """The account; EngineError 401 when nobody has shown who they are. Who sends a token is who it says, whatever
    the connection; then who shows a certificate is who that says. `recognise` says whose a token is; EngineError 429
    when it is refused after too many tries."""
    authorization = headers.get("authorization", "")
    if authorization:
        text = read_bearer(authorization)
        if text is None:
            raise EngineError(401, "unauthorized: send a token, Authorization: Bearer nad_….")
        try:
            return recognise(text).user
        except BadToken as error:
            raise EngineError(401, f"unauthorized: {error}") from None
        except TooMany as error:
            raise EngineError(error.status, error.message) from None
    if shown := scope.get("state", {}).get("certificate"):
        try:
            return recognise_certificate(shown).user
        except BadCertificate as error:
            raise EngineError(401, f"unauthorized: {error}") from None
    user = local_administrator() if is_local(scope) else None
    if user is None or role_of(user) is None:
        raise EngineError(
            401,
            "unauthorized: sign in with a token in HttpHeaders of the docker client's config.json, "
            'such as {"Authorization": "Bearer nad_…"}',
        )
    return user


def refuse_reader(user: User) -> None:
    """Who may change nothing at all; what somebody may change the change itself is asked."""
    if not may_change_something(user):
        raise EngineError(
            403,
            "Only operators and administrators may do this; ask an administrator for the role or a grant.",
        )
