"""What can go wrong in the domain, as one small family of exceptions.

A service raises one of the children; the edge (REST, command line, admin) turns it into its own form by
`status` and shows `code`, `message` and `field` unchanged. Nothing here knows HTTP beyond that number.
"""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A request that cannot be fulfilled, told to the person who made it.

    code     stable snake_case word for programs, e.g. "subnet_overlap"; documented and never renamed
    message  one sentence: what is wrong and what to do about it
    field    name of the input that is to blame, None when it is not a single one
    details  facts that a caller may need to word the message better, e.g. {"cidr": "10.1.0.0/16"}
    """

    status: ClassVar[int] = 400

    def __init__(
        self, code: str, message: str, field: str | None = None, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field
        self.details: dict[str, str] = dict(details or {})

    def __str__(self) -> str:
        return self.message


class Invalid(DomainError):
    """The input is wrong whatever the present state is."""

    status = 400


class Unauthorised(DomainError):
    """Who asks has not shown who they are."""

    status = 401


class Forbidden(DomainError):
    """The rules never allow this, or not to this person."""

    status = 403


class NotFound(DomainError):
    """Nothing answers to the name or id given."""

    status = 404


class Conflict(DomainError):
    """The present state forbids it: taken, overlapping, exhausted, in use."""

    status = 409


class TooLarge(DomainError):
    """More was sent than anything here takes."""

    status = 413


class TooMany(DomainError):
    """It was tried too often; time helps."""

    status = 429


class Full(DomainError):
    """There is no room left to write it down."""

    status = 507


class Unavailable(DomainError):
    """A part of the system that is needed for the answer cannot be reached now."""

    status = 503
