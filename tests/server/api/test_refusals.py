"""tests/cases/refusals/*.json: what is refused, with which status, code, sentence and field, word by word."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "cases" / "refusals"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['title']}")
    for path in sorted(FOLDER.glob("*.json"))
    for case in json.loads(path.read_text())
]


def send(client: Any, request: list[Any]) -> Any:
    """A request is [method, path below /api/v1/] or [method, path, body]."""
    method, path, *body = request
    return getattr(client, method.lower())(f"/api/v1/{path}", *body, format="json")


@pytest.mark.django_db
@pytest.mark.usefixtures("node1", "answering")
@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_is_refused_with_a_sentence(case: dict[str, Any], operator: Any) -> None:
    for step in case.get("given", []):
        assert send(operator, step).status_code < 300, (step, send(operator, step).content)
    history = operator.get("/api/v1/operations/").json()["count"]
    response = send(operator, case["request"])
    expected = {"code": case["code"], "message": case["message"], "field": case.get("field")}
    assert {key: response.json().get(key) for key in expected} == expected
    assert response.status_code == case["status"]
    assert operator.get("/api/v1/operations/").json()["count"] == history, "a refusal changes nothing"
