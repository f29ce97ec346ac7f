"""Which role may call which view."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.accounts.roles import Role, may_change, may_change_something, role_of

if TYPE_CHECKING:  # At run time views import this module.
    from rest_framework.views import APIView


class RolePermission(BasePermission):
    """Looking needs an account, changing needs an operator, or a team's grant: which, the change itself is asked."""

    message = "Only operators and administrators may do this; ask an administrator for the role or a grant."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return role_of(request.user) is not None
        return may_change_something(request.user)


class AdministratorChanges(RolePermission):
    """Looking needs an account, changing needs an administrator."""

    message = "Only administrators may do this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return super().has_permission(request, view)
        return role_of(request.user) is Role.ADMIN


class Administrators(RolePermission):
    """For administrators, looking included."""

    message = "Only administrators may do this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return role_of(request.user) is Role.ADMIN


class OperatorChanges(RolePermission):
    """Looking needs an account, changing needs an operator, whatever one's team is granted."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return super().has_permission(request, view)
        return may_change(request.user)


class SignedIn(RolePermission):
    """For what is one's own."""

    message = "Sign in first."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return role_of(request.user) is not None
