"""Generated requests over the API's own description: no fault of ours, and no answer that it does not describe.

Half of the generated addresses are replaced by those of things that exist, so that the rules behind them are reached.
"""

import io
import itertools
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.accounts.tokens import issue
from tests.server.api.test_containers import make, post
from tests.server.people import make_client, make_user

generator: Any = SchemaGenerator  # It comes without types.
schema = schemathesis.openapi.from_dict(generator().get_schema(request=None, public=True))
schema.app = get_wsgi_application()
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
EXISTING = {
    "containers": "c1",
    "networks": "n1",
    "hosts": "node1",
    "pools": "local-1",
    "subnets": "1",
    "endpoints": "0",
    "operations": "1",
}
turns = itertools.count()


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    if path_parameters and "id" in path_parameters and next(turns) % 2:
        noun = context.operation.path.split("/")[3]
        return {**path_parameters, "id": EXISTING.get(noun, path_parameters["id"])}
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    if isinstance(body, dict) and next(turns) % 2:
        known = {"container": "c1", "network": "n1", "host": "node1"}
        return {key: known.get(key, value) for key, value in body.items()}
    return body


@pytest.fixture
def token(node1: Any, answering: Any) -> str:
    operator = make_client("operator")
    post(operator, "networks/", 201, name="n1")
    make(operator, "c1", start=True)
    return issue(make_user("admin"), "schema")[1]


def test_the_description_is_made_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


@pytest.mark.django_db
@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_description_knows(case: Any, token: str, settings: Any) -> None:
    settings.NETADMIN_ANSWER_TIMEOUT = 0.01
    if case.path.endswith("/exec/") and isinstance(case.body, dict):
        case.body["timeout"] = 0.1
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    assert response.status_code != 500, response.text
    case.validate_response(response, checks=CHECKS)
