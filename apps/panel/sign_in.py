"""The admin's own sign-in; loaded before the models' pages, and so apart from them."""

from typing import Any, cast

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from apps.common.errors import DomainError


class SignInForm(AuthenticationForm):  # type: ignore[misc]
    """Says why somebody is locked out."""

    def clean(self) -> dict[str, Any]:
        try:
            return cast(dict[str, Any], super().clean())
        except DomainError as error:
            raise ValidationError(error.message) from error
