"""/session/, /tokens/, /certificates/, /failures/ and /me/"""

from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import certificates
from apps.accounts.models import ApiToken, ClientCertificate, Failure
from apps.accounts.permissions import Administrators, SignedIn
from apps.accounts.roles import Role, account, may_change_something, role_of
from apps.accounts.tokens import issue, usual_end
from apps.api import filters, requests
from apps.api.people import CertificateOut, FailureOut, Me, NewCertificate, NewToken, TokenOut
from apps.api.views.base import Resource, read
from apps.common.errors import Forbidden, NotFound, Unauthorised


class TokenView(mixins.ListModelMixin, Resource[ApiToken]):
    """One's own tokens."""

    serializer_class = TokenOut
    filterset_class = filters.Tokens
    lookup_value_regex = "[0-9]{1,18}"
    queryset = ApiToken.objects.none()
    permission_classes = [SignedIn]

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.filter(user=account(self.request.user))

    @extend_schema(request=requests.TokenCreate, responses={201: NewToken})
    def create(self, request: Request) -> Response:
        """Make a token; its text is in this answer and nowhere else."""
        given = read(requests.TokenCreate, request)
        by = request.auth if isinstance(request.auth, ApiToken) else None
        expires = given["expires"] if "expires" in given else usual_end(by)
        token, text = issue(account(request.user), given["name"], expires=expires, by=by)
        return Response(NewToken(token, context={"text": text}).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Take a token back."""
        token = self.get_queryset().filter(pk=int(self.term)).first()
        if token is None:
            raise NotFound("token_not_found", f"You have no token {self.term}.", "token")
        token.delete()
        return Response(status=204)


class CertificateView(mixins.ListModelMixin, Resource[ClientCertificate]):
    """With which the Docker Engine API knows its clients: one's own, for administrators everybody's."""

    serializer_class = CertificateOut
    filterset_class = filters.Certificates
    lookup_value_regex = "[0-9]{1,18}"
    queryset = ClientCertificate.objects.none()
    permission_classes = [SignedIn]

    def get_queryset(self) -> QuerySet[ClientCertificate]:
        known = ClientCertificate.objects.select_related("user")
        user = account(self.request.user)
        return known if role_of(user) is Role.ADMIN else known.filter(user=user)

    @extend_schema(request=requests.CertificateCreate, responses={201: NewCertificate})
    def create(self, request: Request) -> Response:
        """Certify a key; only administrators do it for other accounts than their own."""
        given = read(requests.CertificateCreate, request)
        by = request.auth if isinstance(request.auth, ApiToken) else None
        made, certificate, authority = certificates.issue(
            self._find_user(given["user"]), given["name"], given["request"], expires=given["expires"], by=by
        )
        context = {"certificate": certificate, "authority": authority}
        return Response(NewCertificate(made, context=context).data, status=201)

    def _find_user(self, name: str | None) -> User:
        user = account(self.request.user)
        if name is None or name == user.get_username():
            return user
        if role_of(user) is not Role.ADMIN:
            raise Forbidden("administrators_only", "Only administrators certify keys of others.", "user")
        found = User.objects.filter(username=name).first()
        if found is None:
            raise NotFound("user_not_found", f"There is no account named {name!r}.", "user")
        return found

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Take a certificate back."""
        found = self.get_queryset().filter(pk=int(self.term)).first()
        if found is None:
            raise NotFound("certificate_not_found", f"You have no certificate {self.term}.", "certificate")
        found.delete()
        return Response(status=204)


class FailureView(mixins.ListModelMixin, Resource[Failure]):
    """Sign-ins that failed lately, and who is locked out by them."""

    serializer_class = FailureOut
    filterset_class = filters.Failures
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Failure.objects.all()
    permission_classes = [Administrators]

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Count from nought again: whoever was locked out may try."""
        found, _ = self.get_queryset().filter(pk=int(self.term)).delete()
        if not found:
            raise NotFound("failure_not_found", f"There are no failed sign-ins {self.term}.", "failure")
        return Response(status=204)


def show_person(user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    return {
        "name": account(user).get_username(),
        "role": role_of(user),
        "granted": may_change_something(user),
    }


class MeView(APIView):
    """Who one is here."""

    @extend_schema(responses=Me)
    def get(self, request: Request) -> Response:
        """Name and role of the caller."""
        return Response(show_person(request.user))


class SessionView(APIView):
    """How a browser signs in and out; programs send a token instead."""

    permission_classes = [AllowAny]

    @extend_schema(request=requests.SignIn, responses=Me)
    def post(self, request: Request) -> Response:
        """Sign in with name and password; the answer sets the session's cookie."""
        # Without it another site could sign a browser in as somebody whose actions it reads.
        SessionAuthentication().enforce_csrf(request)
        given = read(requests.SignIn, request)
        user = authenticate(request._request, username=given["name"], password=given["password"])
        if user is None:
            raise Unauthorised("bad_password", "Name and password do not fit; try again.", "password")
        login(request._request, user)
        return Response(show_person(user))

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out."""
        logout(request._request)
        return Response(status=204)
