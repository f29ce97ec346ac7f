"""What a team may change by its grants, and what it may not, through REST and through the admin."""

from typing import Any

import pytest

from apps.accounts.models import Grant
from apps.common.errors import Forbidden
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.rights import ADMINISTRATORS, demand
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from tests.server.api.test_containers import make, post
from tests.server.people import TEAM, grant, make_client, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
OURS = {"team": TEAM}


@pytest.fixture
def member() -> Any:
    """Of a team that may change what bears `team=blue`."""
    return make_client("member")


def refuse(client: Any, method: str, path: str, body: Any = None) -> None:
    answered = getattr(client, method)(f"/api/v1/{path}", body, format="json")
    assert (answered.status_code, answered.json()["code"]) == (403, "not_granted"), answered.content


def rights(client: Any, **of: str) -> Any:
    return client.get("/api/v1/rights/", of).json()


def test_a_team_makes_and_changes_what_bears_its_label(member: Any) -> None:
    post(member, "networks/", 201, name="n", labels=OURS)
    made = make(member, "c", labels=OURS, networks=[{"network": "n"}], start=True)
    assert rights(member, container="c") == {
        "change": True,
        "commands": False,
        "endpoints": [made["endpoints"][0]["id"]],
    }
    post(member, "networks/n/disconnect/", 204, container="c")
    post(member, "networks/n/connect/", 201, container="c")
    for verb in ("stop", "start", "restart"):
        post(member, f"containers/c/{verb}/")
    assert member.delete("/api/v1/containers/c/?force=1").status_code == 204
    assert member.delete("/api/v1/networks/n/").status_code == 204
    assert set(Operation.objects.values_list("actor_name", flat=True)) == {"member"}


def test_a_label_of_another_value_is_another_teams(operator: Any, member: Any) -> None:
    post(operator, "networks/", 201, name="n", labels={"team": "red"})
    refuse(member, "delete", "networks/n/")
    refuse(member, "post", "networks/", {"name": "m", "labels": {"team": "red"}})
    refuse(member, "post", "networks/", {"name": "m"})
    assert not Network.objects.filter(name="m").exists()
    grant(label="team", value=None)
    assert member.delete("/api/v1/networks/n/").status_code == 204


def test_connecting_needs_the_right_to_the_network_and_to_the_container(operator: Any, member: Any) -> None:
    post(operator, "networks/", 201, name="theirs")
    post(operator, "networks/", 201, name="ours", labels=OURS)
    make(operator, "foreign")
    make(operator, "own", labels=OURS)
    refuse(member, "post", "networks/ours/connect/", {"container": "foreign"})
    refuse(member, "post", "networks/theirs/connect/", {"container": "own"})
    assert not Endpoint.objects.filter(network__name__in=["ours", "theirs"]).exists()
    post(member, "networks/ours/connect/", 201, container="own")
    refuse(member, "post", "networks/bridge/disconnect/", {"container": "own"})


def test_a_container_is_not_taken_by_connecting_it(operator: Any, member: Any) -> None:
    post(operator, "networks/", 201, name="ours", labels=OURS)
    make(operator, "c", networks=[{"network": "ours"}])
    assert rights(member, container="c")["change"], "all networks that it is on are the team's"
    post(operator, "networks/ours/disconnect/", 204, container="c", force=True)
    Endpoint.objects.all().delete()
    refuse(member, "post", "networks/ours/connect/", {"container": "c"})
    post(operator, "networks/ours/connect/", 201, container="c")
    post(operator, "networks/bridge/connect/", 201, container="c")
    refuse(member, "post", "containers/c/start/", {})
    assert rights(member, container="c") == {"change": False, "commands": False, "endpoints": []}


def test_a_label_makes_no_way_into_other_networks(member: Any) -> None:
    post(member, "networks/", 201, name="n", labels=OURS)
    for networks in (
        [{"network": "bridge"}],
        [{"network": "n"}, {"network": "bridge"}],
        [{"network": "host"}],
    ):
        refuse(member, "post", "containers/", {"name": "c", "labels": OURS, "networks": networks})
    refuse(member, "post", "containers/", {"name": "c", "labels": OURS})


def test_what_runs_is_chosen_by_a_grant_for_commands_only(operator: Any, member: Any) -> None:
    post(member, "networks/", 201, name="n", labels=OURS)
    wish: dict[str, Any] = {"networks": [{"network": "n"}], "labels": OURS}
    refuse(member, "post", "containers/", {"name": "c", "command": ["sleep", "9"], **wish})
    made = make(operator, "c", command=["sleep", "9"], start=True, **wish)
    refuse(member, "post", "containers/c/exec/", {"command": ["id"]})
    check = member.get("/api/v1/check/?from=c&to=192.0.2.1")
    assert (check.status_code, check.json()["code"]) == (403, "operators_only")
    post(member, "containers/c/restart/")
    Grant.objects.update(commands=True)
    assert rights(member, container=made["id"])["commands"]
    make(member, "d", command=["sleep", "9"], **wish)


@pytest.mark.parametrize("chosen", [{"command": ["id"]}, {"entrypoint": ["id"]}, {"image": "5" * 64}])
def test_a_command_an_entrypoint_and_an_image_each_choose_what_runs(
    operator: Any, member: Any, chosen: dict[str, Any]
) -> None:
    post(operator, "networks/", 201, name="n", labels=OURS)
    make(operator, "c", labels=OURS, networks=[{"network": "n"}])
    container, user = Container.objects.get(), make_user("member")
    demand(user, "container.create", container)
    for name, value in chosen.items():
        setattr(container, name, value)
    with pytest.raises(Forbidden):
        demand(user, "container.create", container)


def test_labels_cannot_be_used_to_take_a_network(operator: Any, member: Any) -> None:
    post(operator, "networks/", 201, name="theirs", labels={"team": "red"})
    refuse(member, "patch", "networks/theirs/", {"labels": OURS})
    assert Network.objects.get(name="theirs").labels == {"team": "red"}
    post(member, "networks/", 201, name="ours", labels=OURS)
    refuse(member, "patch", "networks/ours/", {"labels": {"team": "red"}})
    assert (
        member.patch("/api/v1/networks/ours/", {"labels": OURS | {"a": "b"}}, format="json").status_code
        == 200
    )


def test_a_grant_of_one_network_covers_it_and_what_is_on_it_alone(operator: Any, member: Any) -> None:
    made = post(operator, "networks/", 201, name="lab")
    post(operator, "networks/", 201, name="other")
    make(operator, "there", networks=[{"network": "other"}])
    refuse(member, "post", "containers/", {"name": "c", "networks": [{"network": "lab"}]})
    admin = make_client("admin")
    granted = post(admin, "grants/", 201, team=TEAM, network="lab")
    assert (granted["network"], granted["network_name"], granted["members"]) == (
        made["id"],
        "lab",
        ["member"],
    )
    make(member, "c", networks=[{"network": "lab"}], start=True)
    post(member, "containers/c/stop/")
    refuse(member, "post", "networks/other/connect/", {"container": "c"})
    refuse(member, "delete", "networks/other/")
    refuse(member, "post", "containers/there/start/", {})
    post(member, "networks/lab/disconnect/", 204, container="c")
    make(member, "d", networks=[{"network": "lab"}])
    assert admin.delete(f"/api/v1/grants/{granted['id']}/").status_code == 204
    refuse(member, "post", "containers/d/start/", {})
    lines = Operation.objects.filter(subject="grant").order_by("at").values_list("action", "actor_name")
    assert list(lines) == [("grant.add", "admin"), ("grant.remove", "admin")]


def test_what_spans_hosts_needs_a_grant_too(operator: Any, member: Any) -> None:
    Host.objects.update(advertise="192.0.2.1")
    post(operator, "networks/", 201, name="theirs", driver="overlay")
    refuse(member, "post", "networks/", {"name": "n", "driver": "overlay"})
    refuse(member, "delete", "networks/theirs/")
    refuse(member, "patch", "networks/theirs/", {"labels": OURS})
    assert [network.name for network in Network.objects.filter(driver="overlay")] == ["theirs"]
    post(member, "networks/", 201, name="ours", driver="overlay", labels=OURS)
    assert member.delete("/api/v1/networks/ours/").status_code == 204


@pytest.mark.parametrize("action", sorted(ADMINISTRATORS))
def test_hosts_pools_and_grants_are_for_administrators_whatever_the_face(node1: Any, action: str) -> None:
    """The faces ask for the role besides."""
    for role in ("operator", "member", "read-only"):
        with pytest.raises(Forbidden):
            demand(make_user(role), action, node1)
    demand(make_user("admin"), action, node1)


def test_a_macvlan_is_made_by_operators_only(member: Any) -> None:
    refuse(
        member,
        "post",
        "networks/",
        {"name": "m", "driver": "macvlan", "labels": OURS, "options": {"parent": "eth0"}},
    )


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"team": TEAM}, "bad_grant"),
        ({"team": TEAM, "network": "bridge", "label": "team"}, "bad_grant"),
        ({"team": TEAM, "network": "bridge", "value": "x"}, "bad_grant"),
        ({"team": "operators", "label": "x"}, "team_not_found"),
        ({"team": "nobody", "label": "x"}, "team_not_found"),
        ({"team": TEAM, "network": "nothing"}, "network_not_found"),
        ({"team": TEAM, "label": "team", "value": TEAM}, "granted_already"),
    ],
)
def test_a_grant_that_cannot_be(member: Any, wish: Any, code: str) -> None:
    answered = make_client("admin").post("/api/v1/grants/", wish, format="json")
    assert answered.json()["code"] == code


def test_operators_and_readers_need_no_grants_to_be_told_their_rights(operator: Any) -> None:
    make(operator, "c")
    [endpoint] = Endpoint.objects.values_list("pk", flat=True)
    assert rights(operator, network="bridge") == {"change": True, "commands": False, "endpoints": [endpoint]}
    reader = make_client("read-only")
    assert rights(reader, container="c") == {"change": False, "commands": False, "endpoints": []}
