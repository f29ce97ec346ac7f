"""Whatever stands where something else should, it is refused in a sentence: nothing fails, and nothing odd is kept."""

import json
from typing import Any

import pytest

from tests.server.odd import spoil
from tests.server.people import make_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
ATTACHED = {"ipv4_address": None, "mac_address": "02:42:ac:11:00:02", "aliases": ["web"], "links": ["c:x"]}
SUBNET = {"subnet": "10.9.0.0/24", "gateway": "10.9.0.1", "aux_addresses": {"a": "10.9.0.9"}}
BODIES: dict[str, Any] = {
    "networks/": {
        "name": "n",
        "driver": "bridge",
        "subnets": [SUBNET],
        "internal": False,
        "options": {"com.docker.network.driver.mtu": "1400"},
        "labels": {"a": "b"},
    },
    "networks/bridge/connect/": {"container": "c", **ATTACHED, "gateway_priority": 1},
    "containers/": {
        "name": "new",
        "host": "node1",
        "networks": [{"network": "bridge", **ATTACHED}],
        "hostname": "h",
        "command": ["id"],
        "env": {"A": "b"},
        "stop_timeout": 1.0,
        "restart": "on-failure:3",
        "ports": ["8080:80/tcp"],
        "dns": ["1.1.1.1"],
        "extra_hosts": ["a:1.2.3.4"],
        "sysctls": {"net.ipv4.ip_forward": "1"},
    },
    "containers/c/stop/": {"timeout": 1},
    "pools/": {"name": "p", "space": "local", "base": "172.30.0.0/16", "size": 24, "position": 0},
    "tokens/": {"name": "t", "expires": "2099-01-01T00:00:00Z"},
    "grants/": {"team": "blue", "label": "x", "value": "y", "commands": False},
    "join/": {"key": "a", "nonce": "0" * 32, "at": 1.0, "proof": "0" * 64},
    "session/": {"name": "operator", "password": "x"},
}


@pytest.mark.parametrize("path", BODIES)
def test_no_odd_value_in_a_body_makes_anything_fail(path: str) -> None:
    client = make_client("admin")
    client.post("/api/v1/containers/", {"name": "c"}, format="json")
    for body in spoil(BODIES[path]):
        # Exceptions of the server's own are raised here.
        answer = client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code < 500, body
        if answer.status_code >= 400:
            assert {"code", "message", "field"} <= set(answer.json()), body
    for kind in ("networks", "containers", "endpoints", "operations"):
        assert client.get(f"/api/v1/{kind}/?limit=1000").status_code == 200


def test_half_a_character_where_a_field_is_named_is_told_as_it_was_sent() -> None:
    client = make_client("admin")
    answer = client.post("/api/v1/networks/", '{"name": "n", "\\ud800": 1}', content_type="application/json")
    assert (answer.status_code, answer.json()["field"]) == (400, "\\ud800")
