"""Which role may call which view."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.accounts.roles import Role, may_change, role_of

if TYPE_CHECKING:  # At run time views import this module.
    from rest_framework.views import APIView


class RolePermission(BasePermission):
    """Looking needs an account, changing needs an operator."""

    message = "Only operators and administrators may do this; ask an administrator for the role."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return role_of(request.user) is not None
        return may_change(request.user)


class AdministratorChanges(RolePermission):
    """Looking needs an account, changing needs an administrator."""

    message = "Only administrators may do this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return super().has_permission(request, view)
        return role_of(request.user) is Role.ADMIN
