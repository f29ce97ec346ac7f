"""So with the Docker Engine API: a body, query or filter that is odd is refused, and nothing fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.docker_api import images
from apps.docker_api.refusals import EngineError
from apps.docker_api.threads import in_thread
from tests.server.docker_api.engine import Engine
from tests.server.odd import spoil

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
ENDPOINT = {"IPAMConfig": {"IPv4Address": ""}, "Aliases": ["w"], "Links": ["c:x"], "GwPriority": 1}
BODIES: dict[str, Any] = {
    "/containers/create": {
        "Image": "host",
        "Cmd": ["sleep", "1"],
        "Env": ["A=b"],
        "Labels": {"a": "b"},
        "StopSignal": "SIGTERM",
        "StopTimeout": 1,
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {
            "NetworkMode": "bridge",
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8099"}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1},
            "ExtraHosts": ["a:1.2.3.4"],
        },
        "NetworkingConfig": {"EndpointsConfig": {"bridge": ENDPOINT}},
    },
    "/networks/create": {
        "Name": "n",
        "IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "AuxiliaryAddresses": {"a": "10.9.0.9"}}]},
        "Options": {"com.docker.network.driver.mtu": "1400"},
    },
    "/networks/bridge/connect": {"Container": "c", "EndpointConfig": ENDPOINT},
    "/containers/c/exec": {"Cmd": ["id"], "Env": ["A=b"], "ConsoleSize": [24, 80]},
}


@pytest.mark.parametrize("path", BODIES)
async def test_no_odd_value_in_a_body_makes_anything_fail(engine: Engine, path: str, settings: Any) -> None:
    # No host answers here when it is asked for an image, 503.
    settings.NETADMIN_ANSWER_TIMEOUT = 0.01
    await engine.ask("POST", "/containers/create", {"Image": "host"}, name="c")
    for body in spoil(BODIES[path]):
        reply = await engine.ask("POST", path, body)
        assert reply.status < 500 or reply.status == 503, body
    for listed in ("/networks", "/containers/json"):
        assert (await engine.ask("GET", listed, all="1")).status == 200


@pytest.mark.parametrize(
    ("time", "status"),
    [
        ("-99999999999", 400),
        (f"{'9' * 30}h", 400),
        ("0001-01-01T00:00:00+23:59", 400),
        ("9999-12-31T23:59:59-23:59", 400),
        ("²h", 400),
        ("2026-01-01", 200),
        ("1h30m", 200),
    ],
)
async def test_a_time_is_one_or_refused(engine: Engine, time: str, status: int) -> None:
    assert (await engine.ask("GET", "/events", since=time, until="1")).status == status
    assert (await engine.ask("POST", "/networks/prune", filters={"until": [time]})).status == status


@pytest.mark.parametrize("signal", [f"0009{'0' * 5000}", "0009000", "00151", "9" * 5000, "٩"])
async def test_a_signal_is_one_or_refused(engine: Engine, signal: str) -> None:
    await engine.ask("POST", "/containers/create", {"Image": "host"}, name="c")
    reply = await engine.ask("POST", "/containers/c/kill", signal=signal)
    assert (reply.status, reply.message[:14]) == (400, "invalid signal")


async def test_a_body_that_does_not_go_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(3600)

    monkeypatch.setattr(images, "PATIENCE", 0.1)
    drawn = images._draw(stop(), asyncio.get_running_loop())
    assert await in_thread(next, drawn) == b"x"
    with pytest.raises(EngineError, match="did not come"):
        await in_thread(next, drawn)
