"""The admin panel does what REST does, and refuses what REST refuses."""

import re
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import ApiToken, Grant
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.hosts import broker
from apps.hosts.models import Host
from apps.hosts.services import enrol
from apps.ipam.models import Pool
from apps.networks.models import Endpoint, Network
from tests.server.admin.conftest import sign_in
from tests.server.api.test_containers import make, post
from tests.server.hosts import AnsweringHosts
from tests.server.people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
MODELS = sorted(site._registry, key=lambda model: model._meta.label)


@pytest.mark.parametrize(("role", "hidden"), [("admin", set()), ("read-only", {"Accounts"})])
def test_the_first_page_has_the_menus_names(role: str, hidden: set[str]) -> None:
    response = sign_in(role).get(reverse("admin:index"))
    shown = response.content.decode()
    for group in response.context["sidebar_navigation"]:
        assert (f'data-group="{group["title"]}"' in shown) is (group["title"] not in hidden)
        for item in group["items"]:
            assert (
                bool(re.search(rf'"block p-3"[^>]*href="{item["link"]}">{item["title"]}<', shown))
                is (item["has_permission"])
            )
    assert "Changes" in shown and "Operations" not in shown


def page(model: Any, view: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def add(client: Client, model: Any, expected: int = 302, **fields: Any) -> Any:
    response = client.post(page(model, "add"), fields)
    shown = response.context["adminform"].form.errors if response.context else None
    assert response.status_code == expected, shown
    return response


def errors(response: Any) -> dict[str, list[str]]:
    found: dict[str, Any] = response.context["adminform"].form.errors.get_json_data()
    return {field: [fault["message"] for fault in faults] for field, faults in found.items()}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_can_be_looked_at(model: Any, operator: Any) -> None:
    post(operator, "networks/", 201, name="n")
    make(operator, "c1", networks=[{"network": "n", "aliases": ["app"], "links": ["c2:db"]}])
    client = sign_in("admin")
    assert client.get(page(model, "changelist")).status_code == 200
    assert client.get(page(model, "changelist"), {"q": "c1"}).status_code == 200
    for row in model.objects.all()[:1]:
        assert client.get(page(model, "change", row.pk)).status_code == 200
    assert client.get(page(model, "add")).status_code in (200, 403)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_who_may_only_read_changes_nothing(model: Any) -> None:
    client = sign_in("read-only")
    assert client.get(page(model, "add")).status_code == 403
    assert client.post(page(model, "add"), {"name": "x"}).status_code == 403
    for row in model.objects.all()[:1]:
        assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_a_network_is_made_with_all_that_can_be_asked_for(browser: Client, node1: Any) -> None:
    add(
        browser,
        Network,
        host=node1.pk,
        name="isolated_nw",
        subnet="172.25.0.0/16",
        gateway="172.25.0.254",
        ip_range="172.25.4.0/24",
        aux_addresses="printer=172.25.4.1",
        labels="team=x\nempty",
        options="com.docker.network.driver.mtu=1400",
    )
    network = Network.objects.get(name="isolated_nw")
    assert (network.labels, network.applied) == ({"team": "x", "empty": ""}, True)
    operation = Operation.objects.get(subject_id=network.pk)
    assert (operation.actor_name, operation.action, operation.outcome) == (
        "operator",
        "network.create",
        "done",
    )
    assert b"172.25.0.0/16" in browser.get(page(Network, "change", network.pk)).content


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"name": "a/b"}, "name", "cannot be a network's name"),
        ({"name": "bridge"}, "name", "predefined"),
        ({"name": "n", "subnet": "172.17.0.0/24"}, "subnet", "overlaps 172.17.0.0/16 of network bridge"),
        ({"name": "n", "subnet": "10.0.0.0/24", "gateway": "10.1.0.1"}, "gateway", "outside the subnet"),
        ({"name": "n", "subnet": "10.0.0.0/24", "aux_addresses": "a=10.1.0.1"}, "aux_addresses", "outside"),
        ({"name": "n", "options": "com.docker.network.driver.mtu=x"}, "options", "must be a number"),
        ({"name": "n", "subnet_ipv6": "fd00::/64"}, "__all__", "IPv6 to be enabled"),
    ],
)
def test_what_a_service_refuses_is_an_error_of_the_form(
    browser: Client, node1: Any, fields: dict[str, str], field: str, message: str
) -> None:
    found = errors(add(browser, Network, 200, host=node1.pk, **fields))
    assert list(found) == [field]
    assert message in found[field][0]
    assert Network.objects.count() == 3


def test_what_the_host_cannot_do_is_an_error_of_the_form(
    browser: Client, node1: Any, answering: AnsweringHosts
) -> None:
    answering.failing = {"network": "The device is taken."}
    assert errors(add(browser, Network, 200, host=node1.pk, name="n")) == {
        "__all__": ["The device is taken."]
    }


def test_a_silent_host_is_mentioned_and_the_change_kept(
    browser: Client, node1: Any, answering: AnsweringHosts
) -> None:
    answering.silent = True
    response = browser.post(page(Network, "add"), {"host": node1.pk, "name": "n"}, follow=True)
    assert "Recorded; host node1 has not answered yet." in [str(m) for m in response.context["messages"]]
    assert Network.objects.filter(name="n").exists()


def test_a_network_in_use_cannot_be_deleted_and_an_unused_one_can(browser: Client, operator: Any) -> None:
    post(operator, "networks/", 201, name="n")
    make(operator, "c1", start=True, networks=[{"network": "n"}])
    network = Network.objects.get(name="n")
    response = browser.post(page(Network, "delete", network.pk), {"post": "yes"}, follow=True)
    assert "has running containers: c1" in str(next(iter(response.context["messages"])))
    assert Network.objects.filter(name="n", removing=False).exists()
    post(operator, "containers/c1/stop/")
    browser.post(page(Network, "delete", network.pk), {"post": "yes"})
    assert not Network.objects.filter(name="n").exists()


def test_a_container_is_made_renamed_and_operated_on(browser: Client, node1: Any) -> None:
    given = {"command": "sleep '10 00'", "start": "on", "env": "A=b", "ports": "8080:80 53/udp"}
    add(browser, Container, host=node1.pk, name="c1", **given)
    container = Container.objects.get(name="c1")
    assert (container.state, container.command, container.env) == ("running", ["sleep", "10 00"], {"A": "b"})
    assert container.endpoints.get().network.name == "bridge"
    shown = browser.get(page(Container, "change", container.pk)).content.decode()
    assert "8080:80/tcp by 8080, 53/udp by 6" in shown
    empty = {"endpoints-TOTAL_FORMS": 0, "endpoints-INITIAL_FORMS": 0}
    browser.post(page(Container, "change", container.pk), {"name": "c2", **empty})
    assert Container.objects.get().name == "c2"
    for action, state in (("stop", "exited"), ("start", "running"), ("restart", "running")):
        browser.post(page(Container, "changelist"), {"action": action, "_selected_action": [container.pk]})
        assert Container.objects.get().state == state
    chosen = {"action": "remove_selected", "confirmed": "yes", "_selected_action": [container.pk]}
    response = browser.post(page(Container, "changelist"), chosen, follow=True)
    assert any("is running" in str(message) for message in response.context["messages"])
    browser.post(page(Container, "changelist"), {**chosen, "action": "stop"})
    browser.post(page(Container, "changelist"), chosen)
    assert not Container.objects.exists()


def test_a_container_cannot_take_the_name_of_another(browser: Client, operator: Any) -> None:
    make(operator, "c1")
    shown = make(operator, "c2")
    empty = {"endpoints-TOTAL_FORMS": 0, "endpoints-INITIAL_FORMS": 0}
    found = errors(browser.post(page(Container, "change", shown["id"]), {"name": "c1", **empty}))
    assert found == {"name": ["Host node1 already has a container named 'c1'."]}


def test_a_container_is_connected_and_disconnected(browser: Client, operator: Any) -> None:
    post(operator, "networks/", 201, name="n", subnets=[{"subnet": "172.25.0.0/16"}])
    make(operator, "c1", start=True)
    chosen: dict[str, Any] = {
        "network": Network.objects.get(name="n").pk,
        "container": Container.objects.get().pk,
        "gateway_priority": 0,
    }
    found = errors(add(browser, Endpoint, 200, **chosen, ipv4_address="172.25.0.1"))
    assert found == {
        "ipv4_address": ["The address 172.25.0.1 is the gateway of 172.25.0.0/16; choose another one."]
    }
    add(browser, Endpoint, **chosen, ipv4_address="172.25.3.3", aliases="app web", links="c5:db")
    endpoint = Endpoint.objects.get(network__name="n")
    assert (endpoint.ipv4, [alias.name for alias in endpoint.aliases.all()]) == ("172.25.3.3", ["app", "web"])
    found = errors(add(browser, Endpoint, 200, **chosen))
    assert found == {"__all__": ["Container c1 is already connected to network n."]}
    browser.post(page(Endpoint, "delete", endpoint.pk), {"post": "yes"})
    assert not Endpoint.objects.filter(network__name="n").exists()


def test_nothing_can_be_deleted_in_bulk_behind_the_services(browser: Client, operator: Any) -> None:
    shown = make(operator, "c1")
    for model in MODELS:
        browser.post(
            page(model, "changelist"), {"action": "delete_selected", "_selected_action": [shown["id"]]}
        )
    assert Container.objects.exists()


def test_only_administrators_change_pools() -> None:
    fields: dict[str, Any] = {
        "name": "lab",
        "space": "local",
        "base": "10.9.0.0/16",
        "size": 24,
        "position": 0,
    }
    assert sign_in("operator").post(page(Pool, "add"), fields).status_code == 403
    client = sign_in("admin")
    add(client, Pool, **fields)
    pool = Pool.objects.get(name="lab")
    found = errors(client.post(page(Pool, "change", pool.pk), {**fields, "size": 8}))
    assert "cannot be cut" in next(iter(found.values()))[0]
    client.post(page(Pool, "change", pool.pk), {**fields, "size": 26})
    assert Pool.objects.get(name="lab").size == 26
    client.post(page(Pool, "delete", pool.pk), {"post": "yes"})
    assert not Pool.objects.filter(name="lab").exists()
    actions = list(Operation.objects.filter(subject="pool").values_list("action", flat=True))
    assert actions == ["pool.remove", "pool.change", "pool.create"]


def test_a_token_made_here_is_shown_once(operator: Any) -> None:
    client = sign_in("admin")
    fields = {"name": "ci", "user": make_user("operator").pk}
    response = client.post(page(ApiToken, "add"), fields, follow=True)
    said = " ".join(str(message) for message in response.context["messages"])
    token = ApiToken.objects.get(name="ci")
    assert f"nad_{token.key}." in said
    assert f"nad_{token.key}." not in client.get(page(ApiToken, "change", token.pk)).content.decode()


def test_a_list_costs_the_same_queries_however_long_it_is(operator: Any, browser: Client) -> None:
    def count(model: Any) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(page(model, "changelist")).status_code == 200
        return len(caught)

    listed = (Network, Container, Endpoint, Operation)
    make(operator, "c0")
    post(operator, "networks/", 201, name="n0")
    before = [count(model) for model in listed]
    for number in range(1, 6):
        make(operator, f"c{number}")
        post(operator, "networks/", 201, name=f"n{number}")
    assert [count(model) for model in listed] == before


def test_an_address_that_does_not_exist_is_answered_in_the_callers_language() -> None:
    assert Client().get("/api/v1/nothing/").json()["code"] == "not_found"
    assert b"<h1>Not found</h1>" in Client().get("/nothing/").content


def test_a_host_is_added_and_its_command_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "require_outside", lambda: None)
    client = sign_in("admin")
    shown = client.post("/admin/hosts/host/add/", {"name": "node2", "advertise": "192.168.5.12"}, follow=True)
    assert shown.status_code == 200
    assert "netadmin worker join http://testserver --token naj_" in shown.content.decode()
    assert Host.objects.get(name="node2").state == "invited"
    assert "naj_" not in client.get("/admin/hosts/host/").content.decode()


def test_a_host_is_renewed_and_removed_and_the_own_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "require_outside", lambda: None)
    node2 = enrol("node2")[0]
    client = sign_in("admin")

    def act(action: str, host: Host) -> str:
        chosen = {"action": action, "confirmed": "yes", "_selected_action": [str(host.pk)]}
        return client.post(page(Host, "changelist"), chosen, follow=True).content.decode()

    assert "netadmin worker join http://testserver --token naj_" in act("renew", node2)
    own = Host.objects.get(name="node1")
    assert "own host" in act("renew", own) and "own host" in act("revoke", own)
    client.post(page(Host, "delete", own.pk), {"post": "yes"})
    client.post(page(Host, "delete", node2.pk), {"post": "yes"})
    assert list(Host.objects.all()) == [own]
    told = Operation.objects.filter(action__startswith="host.").order_by("at")
    assert [(row.action, row.actor_name, row.detail) for row in told] == [
        ("host.renew", "admin", {}),
        ("host.remove", "admin", {}),
    ]


@pytest.mark.parametrize(
    ("action", "role", "done"), [("drain", "operator", True), ("revoke", "operator", False)]
)
def test_an_operator_may_only_drain(action: str, role: str, done: bool) -> None:
    host = enrol("node2")[0]
    client = sign_in(role)
    client.post("/admin/hosts/host/", {"action": action, "_selected_action": [str(host.pk)]}, follow=True)
    host.refresh_from_db()
    assert (host.drained or host.revoked) is done


def test_a_team_is_offered_in_the_panel_what_its_grants_cover(operator: Any) -> None:
    client = sign_in("member")
    ours = post(operator, "networks/", 201, name="ours", labels={"team": "blue"})
    theirs = post(operator, "networks/", 201, name="theirs")
    assert client.get(page(Network, "add")).status_code == 200
    assert client.post(page(Network, "delete", theirs["id"]), {"post": "yes"}).status_code == 403
    assert client.post(page(Network, "delete", ours["id"]), {"post": "yes"}).status_code == 302
    client.post(
        page(Network, "changelist"),
        {"action": "remove_selected", "_selected_action": theirs["id"], "confirmed": "yes"},
    )
    assert list(Network.objects.filter(predefined=False).values_list("name", flat=True)) == ["theirs"]


def test_an_administrator_grants_in_the_panel(node1: Any) -> None:
    make_user("member")
    client = sign_in("admin")
    team = Group.objects.get(name="blue")
    add(client, Grant, team=team.pk, label="shared", any_value="on", commands="on")
    granted = Grant.objects.get(label="shared")
    assert (granted.value, granted.commands, granted.network) == (None, True, "")
    assert "Grant either" in errors(add(client, Grant, 200, team=team.pk))["network"][0]
    client.post(page(Grant, "delete", granted.pk), {"post": "yes"})
    assert not Grant.objects.filter(label="shared").exists()
    assert set(Operation.objects.filter(subject="grant").values_list("action", flat=True)) == {
        "grant.add",
        "grant.remove",
    }
