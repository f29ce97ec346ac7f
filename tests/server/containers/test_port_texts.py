"""tests/cases/ports: every spelling of a published port, and what each of them means or why it is refused."""

import json
from pathlib import Path

import pytest

from apps.common.errors import Invalid
from apps.containers.ports import read, write

FOLDER = Path(__file__).parents[2] / "cases" / "ports"
ACCEPTED: dict[str, list[str]] = json.loads((FOLDER / "accepted.json").read_text())
REFUSED: dict[str, str] = json.loads((FOLDER / "refused.json").read_text())


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_spelling_of_docker_means_these_ports(text: str) -> None:
    assert [write(port) for port in read([text])] == ACCEPTED[text]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_shown_can_be_asked_for_again(text: str) -> None:
    assert read(ACCEPTED[text]) == read([text])


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_port_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read([text])
    assert (refusal.value.code, refusal.value.field) == ("bad_port", "ports")
    assert refusal.value.message == REFUSED[text]


def test_one_port_is_not_published_twice() -> None:
    with pytest.raises(Invalid, match="The port 8001:80/tcp is published twice"):
        read(["8000-8001:80", "8001:80", "8001:80/tcp"])
