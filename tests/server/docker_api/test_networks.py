"""/networks of the Docker Engine API: shapes, statuses and words that its clients rely on."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.networks.models import Network
from tests.server.api.test_containers import make
from tests.server.docker_api.engine import Engine
from tests.server.people import make_client

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@sync_to_async
def running(name: str, **fields: Any) -> str:
    return str(make(make_client("operator"), name, start=True, **fields)["id"])


async def create(engine: Engine, name: str, **fields: Any) -> str:
    made = await engine.ask("POST", "/networks/create", {"Name": name, **fields})
    assert made.status == 201, made.body
    assert set(made.content) == {"Id", "Warning"}
    return str(made.content["Id"])


async def names(engine: Engine, **filters: Any) -> list[str]:
    listed = await engine.ask("GET", "/networks", filters=filters)
    assert listed.status == 200, listed.body
    return sorted(network["Name"] for network in listed.content)


async def test_a_network_is_shown_as_it_was_asked_for(engine: Engine) -> None:
    config = {
        "Subnet": "172.25.0.0/16",
        "IPRange": "172.25.4.0/24",
        "Gateway": "172.25.0.254",
        "AuxiliaryAddresses": {"printer": "172.25.4.1"},
    }
    identity = await create(
        engine,
        "isolated_nw",
        Driver="bridge",
        CheckDuplicate=True,
        IPAM={"Driver": "default", "Options": {}, "Config": [config]},
        Attachable=True,
        Options={"com.docker.network.driver.mtu": "1450"},
        Labels={"team": "x"},
    )
    shown = (await engine.ask("GET", "/networks/isolated_nw")).content
    assert shown.pop("Created").endswith("Z")
    assert shown == {
        "Name": "isolated_nw",
        "Id": identity,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [config]},
        "Internal": False,
        "Attachable": True,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {"com.docker.network.driver.mtu": "1450"},
        "Labels": {"team": "x"},
    }
    listed = (await engine.ask("GET", "/networks", filters={"id": [identity]})).content
    assert [{**each, "Created": ""} for each in listed] == [{**shown, "Created": ""}]


async def test_what_was_not_given_is_null_or_empty_as_the_engine_has_it(engine: Engine) -> None:
    await create(engine, "simple")
    simple = (await engine.ask("GET", "/networks/simple")).content
    assert (simple["IPAM"]["Options"], simple["Options"], simple["Labels"]) == (None, {}, {})
    none = (await engine.ask("GET", "/networks/none")).content
    assert (none["Driver"], none["IPAM"]["Config"]) == ("null", None)
    assert "Status" not in simple
    newer = (await Engine(prefix="/v1.52").ask("GET", "/networks/simple")).content
    (use,) = newer["Status"]["IPAM"]["Subnets"].values()
    assert set(use) == {"IPsInUse", "DynamicIPsAvailable"}


async def test_members_are_the_running_containers(engine: Engine) -> None:
    await create(engine, "lab", IPAM={"Config": [{"Subnet": "10.66.0.0/24"}]})
    identity = await running("c1", networks=[{"network": "lab"}])
    members = (await engine.ask("GET", "/networks/lab", verbose="true")).content["Containers"]
    (endpoint,) = {member["EndpointID"] for member in members.values()}
    assert members == {
        identity: {
            "Name": "c1",
            "EndpointID": endpoint,
            "MacAddress": "02:42:0a:42:00:02",
            "IPv4Address": "10.66.0.2/24",
            "IPv6Address": "",
        }
    }
    (listed,) = (await engine.ask("GET", "/networks", filters={"name": ["lab"]})).content
    assert listed["Containers"] == {}
    refused = await engine.ask("DELETE", "/networks/lab")
    assert (refused.status, refused.message) == (
        403,
        f'error while removing network: network lab has active endpoints (name:"c1" id:"{endpoint[:12]}")',
    )


async def test_lists_are_filtered(engine: Engine) -> None:
    alpha = await create(engine, "alpha", Labels={"x": "1", "y": ""})
    await create(engine, "alphabet", Internal=True)
    await create(engine, "beta")
    await running("c1", networks=[{"network": "alpha"}])
    for filters, expected in [
        ({"name": ["alpha"]}, ["alpha", "alphabet"]),
        ({"name": ["^alpha$"]}, ["alpha"]),
        ({"name": ["lpha"]}, ["alpha", "alphabet"]),
        ({"name": ["alpha$", "beta"]}, ["alpha", "beta"]),
        ({"name": {"^beta": True, "alpha": False}}, ["beta"]),
        ({"name": ["(a+)+$"]}, []),
        ({"id": [alpha[:6]]}, ["alpha"]),
        ({"driver": ["bridge"], "name": ["beta"]}, ["beta"]),
        ({"driver": ["foo"]}, []),
        ({"driver": ["host", "null"]}, ["host", "none"]),
        ({"label": ["x"]}, ["alpha"]),
        ({"label": ["x=1", "y"]}, ["alpha"]),
        ({"label": ["x=2"]}, []),
        ({"scope": ["local"], "type": ["builtin"]}, ["bridge", "host", "none"]),
        ({"scope": ["swarm"]}, []),
        ({"type": ["custom"]}, ["alpha", "alphabet", "beta"]),
        ({"dangling": ["true"]}, ["alphabet", "beta"]),
        ({"dangling": ["0"]}, ["alpha", "bridge", "host", "none"]),
    ]:
        assert await names(engine, **filters) == expected, filters
    for given, message in [
        ('{"foo": ["x"]}', "invalid filter 'foo'"),
        ("foo", "invalid filter"),
        ('{"type": ["foo"]}', "invalid filter: 'type'='foo'"),
        ('{"dangling": ["foo"]}', None),
    ]:
        refused = await engine.ask("GET", "/networks", filters=given)
        assert refused.status == 400
        assert message in (refused.message, None)


async def test_connecting_and_disconnecting(engine: Engine) -> None:
    await create(engine, "lab", IPAM={"Config": [{"Subnet": "10.66.0.0/24"}]})
    identity = await running("c1")
    wish = {
        "IPAMConfig": {"IPv4Address": "10.66.0.9"},
        "Aliases": ["db"],
        "Links": ["c2:web"],
        "GwPriority": 3,
        "DriverOpts": {},
    }
    connected = await engine.ask("POST", "/networks/lab/connect", {"Container": "c1", "EndpointConfig": wish})
    assert (connected.status, connected.body) == (200, b"")
    (member,) = (await engine.ask("GET", "/networks/lab")).content["Containers"].values()
    assert member["IPv4Address"] == "10.66.0.9/24"
    again = await engine.ask("POST", "/networks/lab/connect", {"Container": "c1"})
    assert (again.status, again.message) == (403, "endpoint with name c1 already exists in network lab")
    gone = await engine.ask("POST", "/networks/lab/disconnect", {"Container": "c1", "Force": False})
    assert (gone.status, gone.body) == (200, b"")
    for force in (False, True):
        twice = await engine.ask("POST", "/networks/lab/disconnect", {"Container": "c1", "Force": force})
        assert (twice.status, twice.message) == (
            500,
            f"container {identity} is not connected to network lab",
        )


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/networks/nosuch/connect", {"Container": "c1"}, 404, "network nosuch not found"),
        ("/networks/lab/connect", {"Container": "nobody"}, 404, "No such container: nobody"),
        ("/networks/lab/disconnect", {"Container": "nobody"}, 404, "No such container: nobody"),
        (
            "/networks/lab/disconnect",
            {"Container": "nobody", "Force": True},
            404,
            "endpoint nobody not found",
        ),
        (
            "/networks/lab/connect",
            {"Container": "c1", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.66.0.1"}}},
            403,
            "Address already in use",
        ),
        (
            "/networks/lab/connect",
            {"Container": "c1", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.99.0.1"}}},
            400,
            "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.99.0.1",
        ),
        (
            "/networks/host/connect",
            {"Container": "c1"},
            400,
            "cannot connect container to host network - container must be created in host network mode",
        ),
        (
            "/networks/none/connect",
            {"Container": "c1"},
            400,
            "container cannot be connected to multiple networks with one of the networks in private (none) mode",
        ),
        ("/networks/lab/connect", {"Container": "c1", "EndpointConfig": {"Links": ["a:b:"]}}, 400, None),
    ],
)
async def test_what_cannot_be_connected_is_refused(
    engine: Engine, path: str, body: dict[str, Any], status: int, message: str | None
) -> None:
    await create(engine, "lab", IPAM={"Config": [{"Subnet": "10.66.0.0/24"}]})
    await running("c1")
    refused = await engine.ask("POST", path, body)
    assert (refused.status, message) == (status, refused.message if message else None)


async def test_removing_and_pruning(engine: Engine) -> None:
    for name in ("host", "none", "bridge"):
        refused = await engine.ask("DELETE", f"/networks/{name}")
        assert (refused.status, refused.message) == (
            403,
            f"{name} is a pre-defined network and cannot be removed",
        )
    await create(engine, "kept", Labels={"keep": "yes"})
    await create(engine, "unused")
    await create(engine, "used")
    await running("c1", networks=[{"network": "used"}])
    assert (await engine.ask("POST", "/networks/prune", filters={"until": ["1h"]})).content == {
        "NetworksDeleted": None
    }
    pruned = await engine.ask("POST", "/networks/prune", filters={"label!": ["keep"]})
    assert (pruned.status, pruned.content) == (200, {"NetworksDeleted": ["unused"]})
    removed = await engine.ask("DELETE", "/networks/kept")
    assert (removed.status, removed.body) == (204, b"")
    missing = await engine.ask("DELETE", "/networks/kept")
    assert (missing.status, missing.message) == (404, "network kept not found")
    for filters, message in [
        ({"foo": ["bar"]}, "invalid filter 'foo'"),
        ({"until": ["foo"]}, 'failed to parse value as time or duration: "foo"'),
    ]:
        refused = await engine.ask("POST", "/networks/prune", filters=filters)
        assert (refused.status, refused.message) == (400, message)
    assert await names(engine, type=["custom"]) == ["used"]


async def test_ambiguous_beginnings_of_ids(engine: Engine) -> None:
    for name in ("a", "b"):
        identity = await create(engine, name)
        await Network.objects.filter(pk=identity).aupdate(labels={"n": name})
    await sync_to_async(_copy_ids)()
    refused = await engine.ask("GET", "/networks/feedfeed")
    assert (refused.status, refused.message) == (
        400,
        "2 matches found based on ID prefix: network feedfeed is ambiguous",
    )
    refused = await engine.ask("DELETE", "/networks/feedfeed")
    assert (refused.status, refused.message) == (
        400,
        "network feedfeed is ambiguous (2 matches found based on ID prefix)",
    )


def _copy_ids() -> None:
    for number, name in enumerate(("a", "b")):
        found = Network.objects.get(name=name)
        found.pk, found.name = f"feedfeed{number:056d}", f"{name}2"
        found.save(force_insert=True)


async def test_a_scope_that_the_network_has_not_hides_it(engine: Engine) -> None:
    await create(engine, "lab")
    for scope in ("swarm", "global"):
        hidden = await engine.ask("GET", "/networks/lab", scope=scope)
        assert (hidden.status, hidden.message) == (404, "network lab not found")
    assert (await engine.ask("GET", "/networks/lab", scope="local")).status == 200
