"""Actions of the admin's lists are offered to who may do something, and change nothing for anybody else."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.test import RequestFactory
from django.urls import reverse

from apps.delivery.models import Operation
from apps.hosts.models import Host
from tests.server.people import make_client, make_user
from tests.server.test_reach import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]


def actions() -> list[tuple[str, str]]:
    """(model, action), of all that an administrator is offered."""
    return [
        (f"{model._meta.app_label}_{model._meta.model_name}", name)
        for model, page in site._registry.items()
        for name in page.actions or ()
    ]


def test_there_are_some_and_none_deletes_rows_by_itself() -> None:
    request = RequestFactory().get("/")
    request.user = make_user("admin")
    assert len(actions()) >= 8
    for page in site._registry.values():
        assert "delete_selected" not in page.get_actions(request)


@pytest.mark.parametrize("role", ["read-only", "member"])
@pytest.mark.parametrize(("model", "action"), actions())
def test_an_action_changes_nothing_that_is_not_granted(model: str, action: str, role: str) -> None:
    admin = make_client("admin")
    admin.post("/api/v1/networks/", {"name": "theirs"}, format="json")
    wish: dict[str, Any] = {"networks": [{"network": "theirs"}], "start": True}
    admin.post("/api/v1/containers/", {"name": "c", **wish}, format="json")
    admin.post("/api/v1/containers/", {"name": "d", "networks": [{"network": "theirs"}]}, format="json")
    [registered] = [each for each in site._registry if each._meta.label_lower.replace(".", "_") == model]
    client = sign_in(role)
    before = (list(Operation.objects.values_list("pk")), list(Host.objects.values()))
    rows = [str(pk) for pk in registered.objects.values_list("pk", flat=True)]  # type: ignore[attr-defined]
    asked = {"action": action, "_selected_action": rows, "confirmed": "yes", "post": "yes"}
    answer = client.post(reverse(f"admin:{model}_changelist"), asked)
    assert answer.status_code in (200, 302, 403)
    assert (list(Operation.objects.values_list("pk")), list(Host.objects.values())) == before
    assert [str(pk) for pk in registered.objects.values_list("pk", flat=True)] == rows  # type: ignore[attr-defined]
