"""The admin's lists: what is found, done to several rows at once, and where the menu leads."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.hosts.services import enrol
from apps.networks.models import Endpoint, Network
from tests.server.admin.conftest import sign_in
from tests.server.admin.test_panel import errors, page
from tests.server.api.test_containers import make, post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]


def test_the_history_of_an_object_is_that_of_its_operations(operator: Any) -> None:
    network = post(operator, "networks/", 201, name="lab")
    post(operator, "networks/", 201, name="other")
    client = sign_in("read-only")
    shown = client.get(page(Network, "history", network["id"]), follow=True)
    assert shown.status_code == 200
    assert [each.subject_name for each in shown.context["cl"].result_list] == ["lab"]


def test_networks_are_removed_and_endpoints_disconnected_from_their_lists(
    browser: Client, operator: Any
) -> None:
    for name in ("used", "unused"):
        post(operator, "networks/", 201, name=name)
    make(operator, "c1", networks=[{"network": "used"}], start=True)
    chosen = list(Network.objects.filter(name__in=["used", "unused"]).values_list("pk", flat=True))
    told = browser.post(
        page(Network, "changelist"),
        {"action": "remove_selected", "confirmed": "yes", "_selected_action": chosen},
        follow=True,
    )
    assert "used" in " ".join(str(message) for message in told.context["messages"])
    assert not Network.objects.filter(name="unused").exists() and Network.objects.filter(name="used").exists()
    (endpoint,) = Endpoint.objects.filter(network__name="used")
    action = {"action": "disconnect_selected", "_selected_action": [endpoint.pk]}
    browser.post(page(Endpoint, "changelist"), action, follow=True)
    assert not Endpoint.objects.filter(pk=endpoint.pk, removing=False).exists()


def test_a_container_is_found_by_its_address_its_mac_and_its_alias(operator: Any, browser: Client) -> None:
    post(operator, "networks/", 201, name="lab", subnets=[{"subnet": "10.7.0.0/24"}])
    make(operator, "c1", networks=[{"network": "lab", "aliases": ["app"]}])
    make(operator, "c2")
    for text in ("10.7.0.2", "02:42:0a:07:00:02", "app"):
        shown = browser.get(page(Container, "changelist"), {"q": text})
        assert [each.name for each in shown.context["cl"].result_list] == ["c1"], text


def test_a_host_gets_its_tunnel_address_on_its_page() -> None:
    client = sign_in("admin")
    host, _ = enrol("node7")
    answer = client.post(page(Host, "change", host.pk), {"advertise": "192.0.2.7"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert Host.objects.get(pk=host.pk).advertise == "192.0.2.7"
    refused = client.post(page(Host, "change", host.pk), {"advertise": "nonsense"})
    assert refused.status_code == 200 and errors(refused)
    assert sign_in("operator").post(page(Host, "change", host.pk), {"advertise": ""}).status_code == 403


def test_the_menu_leads_only_where_one_may_go() -> None:
    people = reverse("admin:auth_user_changelist")
    assert people in sign_in("admin").get("/admin/").content.decode()
    assert people not in sign_in("operator").get("/admin/").content.decode()


def test_a_removal_is_asked_about_first_and_what_came_of_it_is_said(browser: Client, operator: Any) -> None:
    post(operator, "networks/", 201, name="lab")
    chosen = {"action": "remove_selected", "_selected_action": [Network.objects.get(name="lab").pk]}
    asked = browser.post(page(Network, "changelist"), chosen)
    assert "Remove these networks?" in asked.content.decode()
    assert Network.objects.filter(name="lab", removing=False).exists()
    told = browser.post(page(Network, "changelist"), {**chosen, "confirmed": "yes"}, follow=True)
    assert [str(message) for message in told.context["messages"]] == ["Removed: lab."]


def test_the_history_of_a_host_is_not_that_of_something_else_with_its_number(node1: Any) -> None:
    for subject in ("pool", "host"):
        Operation.objects.create(
            actor_name="x",
            action=f"{subject}.create",
            subject=subject,
            subject_id=node1.pk,
            subject_name=subject,
        )
    shown = sign_in("read-only").get(page(Host, "history", node1.pk), follow=True)
    assert {each.subject for each in shown.context["cl"].result_list} == {"host"}


def test_hosts_are_only_revoked_when_that_is_confirmed() -> None:
    host, _ = enrol("node7")
    chosen = {"action": "revoke", "_selected_action": [host.pk]}
    sign_in("admin").post(page(Host, "changelist"), chosen)
    assert not Host.objects.get(pk=host.pk).revoked
