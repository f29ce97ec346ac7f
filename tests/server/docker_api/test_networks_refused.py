"""What /networks of the Docker Engine API refuses to make: statuses and words that its clients compare."""

from typing import Any

import pytest

from tests.server.docker_api.engine import Engine
from tests.server.docker_api.test_networks import create, names

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"Name": ""}, 400, "invalid name: name is empty"),
        ({"Name": "taken"}, 409, "network with name taken already exists"),
        ({"Name": "host"}, 403, "operation is not permitted on predefined host network"),
        ({"Name": "a", "Driver": "host"}, 403, 'only one instance of "host" network is allowed'),
        (
            {"Name": "a", "Driver": "foo"},
            404,
            'plugin "foo" not found',
        ),
        ({"Name": "a", "ConfigOnly": True}, 400, None),
        ({"Name": "a", "ConfigFrom": {"Network": "taken"}}, 400, None),
        ({"Name": "a", "Ingress": True}, 400, None),
        ({"Name": "a", "EnableIPv4": False}, 400, None),
        ({"Name": "a", "IPAM": {"Driver": "dhcp"}}, 404, None),
        ({"Name": "a", "Options": {"com.docker.network.driver.mtu": "x"}}, 400, None),
        ({"Name": "a", "Labels": ["x"]}, 400, "invalid JSON: cannot use this value for Labels"),
    ],
)
async def test_what_cannot_be_made_is_refused(
    engine: Engine, body: dict[str, Any], status: int, message: str | None
) -> None:
    await create(engine, "taken")
    refused = await engine.ask("POST", "/networks/create", body)
    assert (refused.status, message) == (status, refused.message if message else None)
    assert await names(engine, type=["custom"]) == ["taken"]


@pytest.mark.parametrize(
    ("config", "status", "message"),
    [
        (
            {"Subnet": "10.1.9.0/24"},
            403,
            "invalid pool request: Pool overlaps with other one on this address space",
        ),
        ({"Subnet": "10.3.0.5/24"}, 400, "invalid subnet 10.3.0.5/24: it should be 10.3.0.0/24"),
        ({"Subnet": "foo"}, 400, "invalid subnet foo: invalid CIDR block notation"),
        ({"Subnet": "10.3.0.0/33"}, 400, "invalid subnet 10.3.0.0/33: invalid CIDR block notation"),
        ({"Gateway": "10.3.0.1"}, 400, "invalid subnet : invalid CIDR block notation"),
        ({"Subnet": "10.3.0.0/24", "Gateway": "foo"}, 400, "invalid gateway foo: invalid address"),
        (
            {"Subnet": "10.3.0.0/24", "Gateway": "10.4.0.1"},
            400,
            "invalid gateway 10.4.0.1: parent subnet 10.3.0.0/24 doesn't contain this address",
        ),
        (
            {"Subnet": "10.3.0.0/24", "Gateway": "10.3.0.255"},
            403,
            "failed to allocate gateway (10.3.0.255): Address already in use",
        ),
        (
            {"Subnet": "10.3.0.0/24", "IPRange": "10.4.0.0/28"},
            400,
            "invalid ip-range 10.4.0.0/28: parent subnet 10.3.0.0/24 doesn't contain ip-range",
        ),
        (
            {"Subnet": "10.3.0.0/24", "IPRange": "10.3.0.0/16"},
            400,
            "invalid ip-range 10.3.0.0/16: CIDR block is bigger than its parent subnet 10.3.0.0/24",
        ),
        (
            {"Subnet": "10.3.0.0/24", "IPRange": "10.3.0.67/26"},
            400,
            "invalid ip-range 10.3.0.67/26: it should be 10.3.0.64/26",
        ),
        (
            {"Subnet": "10.3.0.0/24", "IPRange": "fd00::/64"},
            400,
            "invalid ip-range fd00::/64: parent subnet is an IPv4 block",
        ),
    ],
)
async def test_wrong_subnets_are_refused_in_the_engines_words(
    engine: Engine, config: dict[str, Any], status: int, message: str
) -> None:
    await create(engine, "first", IPAM={"Config": [{"Subnet": "10.1.0.0/16"}]})
    refused = await engine.ask("POST", "/networks/create", {"Name": "a", "IPAM": {"Config": [config]}})
    assert refused.status == status
    prefix = "invalid network config:\n" if status == 400 else ""
    assert refused.message == prefix + message
    assert await names(engine, type=["custom"]) == ["first"]


async def test_two_subnets_of_a_bridge_are_refused(engine: Engine) -> None:
    body = {"Name": "a", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}, {"Subnet": "10.2.0.0/24"}]}}
    refused = await engine.ask("POST", "/networks/create", body)
    assert (refused.status, refused.message) == (403, "bridge driver doesn't support multiple subnets")
