"""Logs and one-shot commands: asked over the real broker, answered by a thread in the worker's place."""

from typing import Any

import pytest

from tests.server.api.test_containers import make, post
from tests.server.worker import answering_worker
from workers.contract.questions import Answer, Question

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]


def test_logs_come_from_the_host(operator: Any, node1: Any) -> None:
    shown = make(operator, "c1", command=["date"], start=True)

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id=question.id, ok=True, result={"text": "Monday\n"})

    with answering_worker(node1, answer) as asked:
        response = operator.get("/api/v1/containers/c1/logs/?tail=5")
    assert response.json() == {"text": "Monday\n"}
    [question] = asked
    assert (question.kind, question.arguments) == ("logs", {"container": shown["id"], "tail": 5})


def test_processes_are_shown_with_the_options_of_ps_that_are_taken(operator: Any, node1: Any) -> None:
    shown = make(operator, "c1", start=True)
    table = {"titles": ["PID", "CMD"], "processes": [["7", "sleep 1"]]}

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id=question.id, ok=True, result=table)

    with answering_worker(node1, answer) as asked:
        assert operator.get("/api/v1/containers/c1/top/").json() == table
        assert operator.get("/api/v1/containers/c1/top/?options=axo+pid,args:20").json() == table
        refused = operator.get("/api/v1/containers/c1/top/?options=-o+pid,environ")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_ps_options")
    place = {"container": shown["id"], "sandbox": "c1"}
    assert [question.arguments for question in asked] == [
        {**place, "options": ["-ef"]},
        {**place, "options": ["axo", "pid,args:20"]},
    ]
    post(operator, "containers/c1/stop/")
    refused = operator.get("/api/v1/containers/c1/top/")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_running")


def test_a_command_is_run_with_the_containers_variables_and_recorded(operator: Any, node1: Any) -> None:
    shown = make(operator, "c1", start=True, env={"A": "1", "B": "2"})

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id=question.id, ok=True, result={"code": 3, "output": "hello", "truncated": False})

    with answering_worker(node1, answer) as asked:
        result = post(
            operator, "containers/c1/exec/", command=["sh", "-c", "exit 3"], env={"B": "3"}, timeout=5
        )
    assert result == {"exit_code": 3, "output": "hello", "truncated": False}
    assert asked[0].kind == "run_once"
    assert asked[0].arguments == {
        "container": shown["id"],
        "sandbox": "c1",
        "hostname": shown["hostname"],
        "command": ["sh", "-c", "exit 3"],
        "env": {"A": "1", "B": "3"},
        "image": "",
        "user": "",
        "working_dir": "",
        "timeout": 5.0,
    }
    operation = operator.get("/api/v1/operations/?action=container.exec").json()["results"][0]
    assert operation["detail"] == {"command": ["sh", "-c", "exit 3"]}
    assert operation["outcome"] == "done"


def test_what_the_host_refuses_is_told_in_its_words(operator: Any, node1: Any) -> None:
    make(operator, "c1", start=True)

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id=question.id, ok=False, error="There is no program 'nope'.", code=404)

    with answering_worker(node1, answer):
        refused = operator.post("/api/v1/containers/c1/exec/", {"command": ["nope"]}, format="json")
    assert refused.status_code == 404
    assert refused.json() == {"code": "host_refused", "message": "There is no program 'nope'.", "field": None}


def test_a_host_that_does_not_answer_is_unavailable(operator: Any, node1: Any, settings: Any) -> None:
    make(operator, "c1", start=True)
    settings.NETADMIN_ANSWER_TIMEOUT = 0.3
    refused = operator.get("/api/v1/containers/c1/logs/")
    assert (refused.status_code, refused.json()["code"]) == (503, "host_silent")


def test_an_answer_that_another_key_has_signed_is_not_believed(operator: Any, node1: Any) -> None:
    make(operator, "c1", start=True)

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id=question.id, ok=True, result={"text": "forged"})

    with answering_worker(node1, answer, key="00" * 32):
        refused = operator.get("/api/v1/containers/c1/logs/")
    assert refused.status_code == 503
    assert "Something else answered" in refused.json()["message"]


def test_an_answer_to_another_question_is_not_believed(operator: Any, node1: Any) -> None:
    make(operator, "c1", start=True)

    def answer(question: Question, _: Any) -> Answer:
        return Answer(id="another", ok=True, result={"text": "old"})

    with answering_worker(node1, answer):
        assert operator.get("/api/v1/containers/c1/logs/").status_code == 503
