"""The Docker SDK for Python, unmodified: every call about networks and events that it has."""

import time
from collections.abc import Iterator

import pytest
from docker.errors import APIError, NotFound
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

import docker as sdk
from tests.docker import Docker
from tests.product import Product


@pytest.fixture(scope="module")
def client(docker: Docker) -> Iterator[sdk.DockerClient]:
    client = sdk.DockerClient(base_url=docker.host)
    yield client
    client.close()


@pytest.fixture
def made(client: sdk.DockerClient) -> Iterator[list[Network]]:
    """What a test puts in here is removed after it."""
    networks: list[Network] = []
    yield networks
    for network in networks:
        network.remove()


def ipam(subnet: str, **pool: object) -> IPAMConfig:
    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, **pool)])


def test_it_agrees_on_a_version_and_knows_whom_it_speaks_to(client: sdk.DockerClient) -> None:
    assert client.ping() is True
    version = client.version()
    assert version["Os"] == "linux" and float(version["ApiVersion"]) >= 1.41
    assert client.api.api_version != "auto"
    assert client.info()["Name"] == "node1"


@pytest.mark.parametrize("version", ["1.41", "1.44", "1.51"])
def test_older_versions_are_spoken(docker: Docker, version: str) -> None:
    client = sdk.DockerClient(base_url=docker.host, version=version)
    assert {network.name for network in client.networks.list()} == {"bridge", "host", "none"}
    client.close()


def test_a_token_opens_the_same_over_tcp(product: Product) -> None:
    client = sdk.DockerClient(base_url=f"tcp://{product.listen}/hosts/node1", version="1.51")
    with pytest.raises(APIError) as refused:
        client.networks.list()
    assert refused.value.status_code == 401
    client.api.headers["Authorization"] = "Bearer " + product.do("token create sdk")
    assert "bridge" in {network.name for network in client.networks.list()}
    client.close()


def test_a_network_is_made_with_all_that_the_sdk_can_say(
    client: sdk.DockerClient, made: list[Network]
) -> None:
    pools = [
        IPAMPool("10.1.0.0/16", "10.1.128.0/17", "10.1.0.9", {"printer": "10.1.0.10"}),
        IPAMPool("fd00:1::/64"),
    ]
    network = client.networks.create(
        "full",
        driver="bridge",
        options={"com.docker.network.driver.mtu": "1400"},
        ipam=IPAMConfig(pool_configs=pools),
        check_duplicate=True,
        internal=True,
        labels={"team": "blue"},
        enable_ipv6=True,
        attachable=True,
        scope="local",
    )
    made.append(network)
    attributes = network.attrs
    assert attributes["Id"] == network.id and len(network.short_id) <= 12
    assert attributes["IPAM"]["Config"] == [
        {
            "Subnet": "10.1.0.0/16",
            "IPRange": "10.1.128.0/17",
            "Gateway": "10.1.0.9",
            "AuxiliaryAddresses": {"printer": "10.1.0.10"},
        },
        {"Subnet": "fd00:1::/64", "Gateway": "fd00:1::1"},
    ]
    wanted = {"Name": "full", "Driver": "bridge", "Scope": "local", "Internal": True, "EnableIPv6": True}
    assert {name: attributes[name] for name in wanted} == wanted
    assert attributes["Attachable"] is True and attributes["Labels"] == {"team": "blue"}
    assert attributes["Options"] == {"com.docker.network.driver.mtu": "1400"}
    assert attributes["Containers"] == {} and network.containers == []


def test_networks_are_found_by_name_id_and_filter(client: sdk.DockerClient, made: list[Network]) -> None:
    made += [client.networks.create(name, labels={"in": name}) for name in ("first", "second")]
    first, second = made
    for term in ("first", first.id, first.id[:20]):
        assert client.networks.get(term) == first
    assert client.networks.get("first", verbose=True, scope="local") == first
    assert client.networks.list(names=["first"]) == [first]
    assert client.networks.list(ids=[second.id]) == [second]
    assert client.networks.list(filters={"label": "in=second"}) == [second]
    assert {one.name for one in client.networks.list(filters={"type": "custom"})} == {"first", "second"}
    (greedy,) = client.networks.list(names=["second"], greedy=True)
    assert greedy.attrs["Containers"] == {}
    with pytest.raises(NotFound, match="network third not found"):
        client.networks.get("third")


def test_refusals_have_the_engines_status_and_words(client: sdk.DockerClient, made: list[Network]) -> None:
    made.append(client.networks.create("here", ipam=ipam("10.1.0.0/16")))
    refused = [
        (lambda: client.networks.create("here"), 409, "network with name here already exists"),
        (lambda: client.networks.create("over", ipam=ipam("10.1.2.0/24")), 403, "Pool overlaps"),
        (lambda: client.networks.get("bridge").remove(), 403, "bridge is a pre-defined network"),
        (lambda: made[0].connect("nobody"), 404, "No such container: nobody"),
    ]
    for attempt, status, words in refused:
        with pytest.raises(APIError, match=words) as error:
            attempt()
        assert error.value.status_code == status
    assert {one.name for one in client.networks.list(filters={"type": "custom"})} == {"here"}


def test_prune_tells_what_it_removed(client: sdk.DockerClient, made: list[Network]) -> None:
    client.networks.create("old", labels={"keep": "no"})
    made.append(client.networks.create("kept", labels={"keep": "yes"}))
    assert client.networks.prune(filters={"label": "keep=no"}) == {"NetworksDeleted": ["old"]}
    assert client.networks.prune(filters={"label": "keep=no"}) == {"NetworksDeleted": None}
    assert client.networks.list(names=["kept"]) == made


def test_containers_are_connected_with_address_alias_and_link(
    client: sdk.DockerClient, made: list[Network], product: Product
) -> None:
    made.append(client.networks.create("meeting", ipam=ipam("10.2.0.0/16")))
    network = made[0]
    for name in ("web", "db"):
        product.do(f"run -d --name {name}")
    network.connect("web", aliases=["front"], ipv4_address="10.2.3.3", links=[("db", "store")])
    network.connect("db")
    network.reload()
    assert {one["Name"]: one["IPv4Address"] for one in network.attrs["Containers"].values()} == {
        "web": "10.2.3.3/16",
        "db": "10.2.0.2/16",
    }
    product.reaches("db", "front", "10.2.3.3")
    product.reaches("web", "store", "10.2.0.2")
    network.disconnect("web")
    network.disconnect("db", force=True)
    with pytest.raises(APIError, match="is not connected to network meeting"):
        network.disconnect("web")
    product.do("rm -f web db")


def test_events_come_while_they_happen(client: sdk.DockerClient) -> None:
    began = int(time.time())
    events = client.events(decode=True, filters={"type": "network", "network": "told"}, since=began)
    client.networks.create("told").remove()
    seen = [next(events)["Action"] for _ in range(2)]
    events.close()
    assert seen == ["create", "destroy"]
