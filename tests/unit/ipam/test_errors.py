import pytest

from apps.common.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unavailable


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Invalid, 400), (Forbidden, 403), (NotFound, 404), (Conflict, 409), (Unavailable, 503)],
)
def test_an_error_carries_code_sentence_field_and_status(kind: type[DomainError], status: int) -> None:
    error = kind("some_code", "What is wrong.", "subnet", {"cidr": "10.0.0.0/8"})
    assert (error.code, error.message, error.field) == ("some_code", "What is wrong.", "subnet")
    assert (str(error), error.status, error.details) == ("What is wrong.", status, {"cidr": "10.0.0.0/8"})
