"""`?dry_run=1`: the answer of each host, every rule, and nothing kept; refused where a change does not know of it."""

from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import SAFE_METHODS

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.hosts import services as hosts
from apps.hosts.models import Host
from apps.networks.models import Network
from tests.server.api.test_containers import make, post
from tests.server.worker import answering_worker
from workers.contract.questions import Answer, Question

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]
STEP = {"verb": "create", "kind": "port", "text": "create port veth0 for eth0 of c1"}


def agree(question: Question, _: Any) -> Answer:
    return Answer(id=question.id, ok=True, result={"operations": [STEP], "total": 1})


def test_a_host_is_asked_what_it_would_do_with_the_rows(operator: Any, node1: Host) -> None:
    post(operator, "networks/", 201, name="lab")
    shown = make(operator, "c1", start=True)
    before = (Operation.objects.count(), Host.objects.get(pk=node1.pk).revision)
    with answering_worker(node1, agree) as asked:
        told = post(operator, "networks/lab/connect/?dry_run=1", 200, container="c1")
    assert told == {
        "dry_run": True,
        "plans": [{"host": "node1", "operations": [STEP], "total": 1, "problem": ""}],
    }
    (question,) = asked
    assert question.kind == "plan" and question.arguments["host"] == "node1"
    (row,) = [row for row in question.arguments["changed"] if row["kind"] == "endpoint"]
    assert row["spec"]["container"] == shown["id"]
    assert (Operation.objects.count(), Host.objects.get(pk=node1.pk).revision) == before


def test_what_the_host_would_mend_is_asked_without_rows(operator: Any, node1: Host) -> None:
    with answering_worker(node1, agree) as asked:
        told = operator.get("/api/v1/hosts/node1/plan/").json()
    assert told == {"host": "node1", "operations": [STEP], "total": 1, "problem": ""}
    assert asked[0].arguments == {"host": "node1", "changed": None}


def test_a_silent_host_is_told_as_a_problem(operator: Any, node1: Host, settings: Any) -> None:
    settings.NETADMIN_ANSWER_TIMEOUT = 0.3
    told = post(operator, "networks/?dry_run=1", 200, name="lab")
    assert told["plans"] == [
        {
            "host": "node1",
            "operations": [],
            "total": 0,
            "problem": "Host node1 does not answer; is its worker running?",
        }
    ]
    assert not Network.objects.filter(name="lab").exists()


def test_rules_and_rights_are_those_of_the_change(client_of: Any, operator: Any, node1: Host) -> None:
    refused = operator.post("/api/v1/networks/?dry_run=1", {"name": "bridge"}, format="json")
    assert refused.json()["code"] == "predefined"
    reader = client_of("read-only")
    assert reader.post("/api/v1/networks/?dry_run=1", {"name": "lab"}, format="json").status_code == 403


def test_a_change_that_knows_no_dry_run_is_not_made(operator: Any, node1: Host) -> None:
    make(operator, "c1", start=True)
    refused = operator.post("/api/v1/containers/c1/exec/?dry_run=1", {"command": ["date"]}, format="json")
    assert refused.status_code == 400
    assert refused.json() == {
        "code": "no_dry_run",
        "message": "There is no dry run of this; nothing was done.",
        "field": "dry_run",
    }
    assert not Operation.objects.filter(action="container.exec").exists()


def views() -> list[Any]:
    """Of the URL table, those that name their actions, and the others that change something."""

    def walk(found: list[URLPattern | URLResolver]) -> Any:
        for each in found:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns)
            else:
                yield each.callback

    return list(walk(get_resolver("apps.api.urls").url_patterns))


def changes(rehearsed: bool) -> list[tuple[str, str, str]]:
    """(view, action, method) of every change in the URL table that a dry run ends, or of every other one."""
    table = set()
    for view in views():
        offered = getattr(view, "actions", None) or {
            method: "" for method in ("post", "put", "patch", "delete") if hasattr(view.cls, method)
        }
        table |= {
            (view.cls.__name__, action, method)
            for method, action in offered.items()
            if method.upper() not in SAFE_METHODS
            and (action in getattr(view.cls, "rehearsed", ())) is rehearsed
        }
    return sorted(table)


NO_HOST, STORE, NOTHING = "no host has to do with it", "what is kept on a disk", "nothing on a host changes"
WITHOUT = {
    ("CertificateView", "create"): NO_HOST,
    ("CertificateView", "destroy"): NO_HOST,
    ("FailureView", "destroy"): NO_HOST,
    ("SessionView", ""): NO_HOST,
    ("TokenView", "create"): NO_HOST,
    ("TokenView", "destroy"): NO_HOST,
    ("ImagesView", ""): STORE,
    ("ImageView", ""): STORE,
    ("LoadView", ""): STORE,
    ("TagView", ""): STORE,
    ("HostView", "create"): NOTHING,
    ("HostView", "renew"): NOTHING,
    ("HostView", "revoke"): NOTHING,
    ("JoinView", ""): NOTHING,
    ("NetworkView", "plan"): "it is one itself",
    ("ContainerView", "exec"): "what a command does nobody knows before",
}
"""Changes of which there is no dry run, and why there need be none."""


def test_every_change_to_what_a_host_makes_offers_a_dry_run() -> None:
    assert {(view, action) for view, action, _ in changes(rehearsed=False)} == set(WITHOUT)


BODIES: dict[tuple[str, str], tuple[str, Any]] = {
    ("ContainerView", "create"): ("containers/", {"name": "new"}),
    ("ContainerView", "destroy"): ("containers/idle/", {}),
    ("ContainerView", "rename"): ("containers/c1/rename/", {"name": "other"}),
    ("ContainerView", "restart"): ("containers/c1/restart/", {}),
    ("ContainerView", "start"): ("containers/idle/start/", {}),
    ("ContainerView", "stop"): ("containers/c1/stop/", {}),
    ("EndpointView", "create"): ("endpoints/", [{"network": "lab", "container": "c1"}]),
    ("EndpointView", "destroy_many"): ("endpoints/", [{"network": "bridge", "container": "c1"}]),
    ("GrantView", "create"): ("grants/", {"team": "web", "label": "team"}),
    ("GrantView", "destroy"): ("grants/{grant}/", {}),
    ("HostView", "destroy"): ("hosts/node2/", {}),
    ("HostView", "drain"): ("hosts/node1/drain/", {}),
    ("HostView", "partial_update"): ("hosts/node1/", {"advertise": "192.168.7.7"}),
    ("HostView", "undrain"): ("hosts/node1/undrain/", {}),
    ("NetworkView", "connect"): ("networks/lab/connect/", {"container": "c1"}),
    ("NetworkView", "create"): ("networks/", {"name": "new"}),
    ("NetworkView", "destroy"): ("networks/lab/", {}),
    ("NetworkView", "disconnect"): ("networks/bridge/disconnect/", {"container": "c1"}),
    ("NetworkView", "partial_update"): ("networks/lab/", {"labels": {"a": "b"}}),
    ("NetworkView", "prune"): ("networks/prune/", {}),
    ("PoolView", "create"): ("pools/", {"name": "new", "base": "10.99.0.0/16", "size": 24}),
    ("PoolView", "destroy"): ("pools/{pool}/", {}),
}


@pytest.mark.parametrize(("view", "action", "method"), changes(rehearsed=True))
def test_every_change_that_offers_a_dry_run_keeps_nothing_of_it(
    client_of: Any, node1: Host, settings: Any, view: str, action: str, method: str
) -> None:
    from django.contrib.auth.models import Group
    from django.core import serializers

    from apps.accounts.models import Grant
    from apps.ipam.models import Address, Pool, Subnet
    from apps.networks.models import Endpoint

    admin = client_of("admin")
    post(admin, "networks/", 201, name="lab")
    make(admin, "c1", start=True)
    make(admin, "idle")
    team = Group.objects.create(name="web")
    grant = Grant.objects.create(team=team, label="owner")
    pool = Pool.objects.order_by("pk")[0]
    hosts.add("node2", None)
    settings.NETADMIN_ANSWER_TIMEOUT = 0.2

    def record() -> list[str]:
        kept = (Host, Network, Container, Endpoint, Subnet, Address, Pool, Grant, Operation)
        return [serializers.serialize("json", model.objects.order_by("pk")) for model in kept]

    before = record()
    path, body = BODIES[view, action]
    address = f"/api/v1/{path.format(grant=grant.pk, pool=pool.pk)}?dry_run=1"
    answer = getattr(admin, method)(address, body, format="json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["dry_run"] is True
    assert record() == before
