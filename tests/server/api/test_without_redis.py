"""Redis is away: nothing is lost, nothing hangs. (No fixture here starts one.)"""

import time
from typing import Any

import pytest

from apps.common.errors import Unavailable
from apps.delivery.models import Operation
from apps.delivery.questions import ask
from apps.hosts.services import enrol
from apps.networks.models import Network

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_change_is_recorded_and_accepted(operator: Any) -> None:
    enrol("node1")
    begun = time.monotonic()
    response = operator.post(
        "/api/v1/networks/", {"name": "n", "subnets": [{"subnet": "10.1.0.0/24"}]}, format="json"
    )
    assert response.status_code == 202, response.content
    assert time.monotonic() - begun < 5
    assert Network.objects.get(name="n").revision == 1
    assert Operation.objects.get().outcome == "pending"


def test_a_question_is_answered_by_an_error_at_once(db: None) -> None:
    host, _ = enrol("node1")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="Host node1 does not answer"):
        ask(host, "logs", {}, 10)
    assert time.monotonic() - begun < 5
