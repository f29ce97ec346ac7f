"""Who may ask what is reached, and what a silent host means for the answer."""

from typing import Any

import pytest

from tests.server.api.test_containers import make, post
from tests.server.people import make_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]


@pytest.fixture
def pair(operator: Any) -> None:
    post(operator, "networks/", 201, name="lab")
    for name in ("a", "b"):
        make(operator, name, networks=[{"network": "lab"}], start=True)


def test_a_silent_host_is_a_reason_and_no_error(
    pair: None, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.delivery.questions.await_answer", lambda *_: None)
    told = operator.get("/api/v1/check/?from=a&to=b").json()
    assert (told["reachable"], told["address"]["received"]) == (False, 0)
    assert "does not answer" in told["name"]["error"] and told["reason"] and told["advice"]
    matrix = operator.get("/api/v1/matrix/?network=lab").json()
    assert [cell["reachable"] for cell in matrix["cells"]] == [False, False]
    assert operator.get("/api/v1/statistics/?network=lab").json()["interfaces"] == []
    (links,) = operator.get("/api/v1/links/?network=lab").json()
    assert (links["host"], links["links"], "does not answer" in links["error"]) == ("node1", [], True)


def test_who_shares_only_the_default_bridge_is_told_that_it_has_no_names(
    pair: None, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(operator, "c", start=True)
    post(operator, "networks/bridge/connect/", 201, container="a")

    def ask(_host: object, kind: str, *_: object) -> dict[str, Any]:
        return (
            {"answers": [{"step": "refused", "rcode": "SERVFAIL", "answers": []}]}
            if kind == "explain_names"
            else {}
        )

    monkeypatch.setattr("apps.connectivity.measurement.ask", ask)
    last = operator.get("/api/v1/check/?from=a&to=c").json()["path"][-1]
    assert (last["ok"], "the default bridge has no name service" in last["detail"]) == (False, True)
    last = operator.get("/api/v1/check/?from=a&to=b").json()["path"][-1]
    assert (last["ok"], "SERVFAIL" in last["detail"]) == (False, True)


def test_readers_may_measure_between_containers_but_send_nothing_elsewhere(
    pair: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("apps.connectivity.measurement.ask", lambda host, kind, *_: asked.append(kind) or {})
    reader = make_client("read-only")
    for elsewhere in ("203.0.113.9", "example.org"):
        refused = reader.get("/api/v1/check/", {"from": "a", "to": elsewhere})
        assert (refused.status_code, refused.json()["code"]) == (403, "operators_only")
    assert asked == []


def test_too_many_are_refused_with_what_to_do(operator: Any) -> None:
    post(operator, "networks/", 201, name="lab")
    for number in range(65):
        make(operator, f"c{number}", networks=[{"network": "lab"}])
    refused = operator.get("/api/v1/matrix/?network=lab")
    assert (refused.status_code, refused.json()["code"]) == (400, "too_many")
    assert "choose at most 64" in refused.json()["message"]
