"""/containers/create of the Docker Engine API: what is asked for, and what is refused instead of ignored."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.containers.models import Container
from tests.server.docker_api.engine import Engine
from tests.server.docker_api.test_networks import create, running

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


RESOLUTION = {
    "Dns": ["192.0.2.53"],
    "DnsSearch": ["example.test"],
    "DnsOptions": ["timeout:1"],
    "ExtraHosts": ["printer:192.0.2.9", "six:2001:db8::9", "gw:host-gateway"],
    "Sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0\t5"},
}
WISH = {"IPAMConfig": {"IPv4Address": "10.66.0.9"}, "Aliases": ["db"], "Links": ["other:peer"]}


async def inspect(engine: Engine, name: str) -> Any:
    return (await engine.ask("GET", f"/containers/{name}/json")).content


async def test_a_container_is_made_as_it_was_asked_for(engine: Engine) -> None:
    await create(engine, "lab", IPAM={"Config": [{"Subnet": "10.66.0.0/24"}]})
    body = {
        "Image": "host",
        "Cmd": ["sleep", "9"],
        "Hostname": "web",
        "Env": ["A=1", "B=x=y"],
        "Labels": {"team": "blue"},
        "Tty": True,
        "OpenStdin": True,
        "StopTimeout": 3,
        "HostConfig": {
            "NetworkMode": "lab",
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
            **RESOLUTION,
            "Binds": None,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        },
        "NetworkingConfig": {
            "EndpointsConfig": {
                "lab": WISH,
                "bridge": {},
            }
        },
    }
    made = await engine.ask("POST", "/containers/create", body, name="c1")
    assert made.status == 201 and made.content["Warnings"] == []
    shown = await inspect(engine, "c1")
    assert shown["Id"] == made.content["Id"] and shown["State"]["Status"] == "created"
    wanted = {
        "Hostname": "web",
        "Env": ["A=1", "B=x=y"],
        "Cmd": ["sleep", "9"],
        "Tty": True,
        "StopTimeout": 3,
    }
    assert {name: shown["Config"][name] for name in wanted} == wanted
    assert shown["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert {name: shown["HostConfig"][name] for name in RESOLUTION} == RESOLUTION
    assert shown["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    networks = shown["NetworkSettings"]["Networks"]
    assert list(networks) == ["lab", "bridge"]
    assert {name: networks["lab"][name] for name in WISH} == WISH


@pytest.mark.parametrize("mode", ["", "default", "bridge"])
async def test_by_itself_it_is_on_the_default_bridge(engine: Engine, mode: str) -> None:
    body = {
        "Image": "host",
        "HostConfig": {"NetworkMode": mode},
        "NetworkingConfig": {"EndpointsConfig": {mode or "default": {}}},
    }
    made = await engine.ask("POST", "/containers/create", body, name="c1")
    assert made.status == 201, made.body
    assert list((await inspect(engine, "c1"))["NetworkSettings"]["Networks"]) == ["bridge"]


async def test_a_network_may_be_named_by_its_id(engine: Engine) -> None:
    identity = await create(engine, "lab")
    body = {
        "Image": "host",
        "HostConfig": {"NetworkMode": "lab"},
        "NetworkingConfig": {"EndpointsConfig": {identity: {"Aliases": ["db"]}}},
    }
    await engine.ask("POST", "/containers/create", body, name="c1")
    (attachment,) = (await inspect(engine, "c1"))["NetworkSettings"]["Networks"].values()
    assert attachment["Aliases"] == ["db"]


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"HostConfig": {"NetworkMode": "nosuch"}}, 400, "network nosuch not found"),
        ({"HostConfig": {"NetworkMode": "container:c0"}}, 400, "share another one's network"),
        ({"HostConfig": {"Binds": ["/a:/b"]}}, 400, "netadmin has no volumes"),
        (
            {"HostConfig": {"RestartPolicy": {"Name": "sometimes"}}},
            400,
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or "
            "'unless-stopped'",
        ),
        (
            {"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
            400,
            "maximum retry count can only be used with 'on-failure'",
        ),
        (
            {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}},
            400,
            "maximum retry count cannot be negative",
        ),
        (
            {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
            400,
            "can't create 'AutoRemove' container with restart policy",
        ),
        ({"HostConfig": {"OomScoreAdj": 5}}, 400, "leave OomScoreAdj out"),
        ({"HostConfig": {"ShmSize": 67108864}}, 400, "limits of memory"),
        ({"HostConfig": {"LogConfig": {"Type": "syslog"}}}, 400, "leave LogConfig out"),
        ({"HostConfig": {"IpcMode": "private"}}, 400, "leave IpcMode out"),
        ({"HostConfig": {"InventedTomorrow": True}}, 400, "no such option: leave InventedTomorrow out"),
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, 400, "health checks"),
        ({"Domainname": "example.test"}, 400, "leave Domainname out"),
        ({"Volumes": {"/data": {}}}, 400, "volumes"),
        ({"ExposedPorts": {"80/sctp": {}}}, 400, None),
        (
            {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"DriverOpts": {"a": "b"}}}}},
            400,
            "options of an attachment",
        ),
        (
            {
                "NetworkingConfig": {
                    "EndpointsConfig": {"bridge": {"IPAMConfig": {"LinkLocalIPs": ["169.254.9.9"]}}}
                }
            },
            400,
            "LinkLocalIPs",
        ),
        ({"HostConfig": {"ExtraHosts": ["printer:nowhere"]}}, 400, "not an IP address"),
        ({"HostConfig": {"ExtraHosts": ["a\nb:192.0.2.9"]}}, 400, "cannot stand in /etc/hosts"),
        ({"HostConfig": {"Dns": ["dns.example"]}}, 400, "not an IP address"),
        ({"HostConfig": {"Dns": ["192.0.2.53"] * 9}}, 400, "At most 8 of dns"),
        ({"HostConfig": {"Dns": ["192.0.2.53"], "NetworkMode": "host"}}, 400, "the host's own resolv.conf"),
        ({"HostConfig": {"Sysctls": {"kernel.msgmax": "1"}}}, 400, "not one of a network namespace"),
        ({"HostConfig": {"Sysctls": {"net.ipv4.../../x": "1"}}}, 400, "not one of a network namespace"),
        ({"HostConfig": {"Sysctls": {"net.ipv4/ip_forward": "1"}}}, 400, "not one of a network namespace"),
        ({"HostConfig": {"Sysctls": {"net.ipv4.conf.eth0.rp_filter": "1"}}}, 400, "of an interface"),
        ({"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": "1\n"}}}, 400, "cannot be set to"),
        ({"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": ""}}}, 400, "cannot be set to"),
        (
            {"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"}},
            400,
            "the host's sysctls",
        ),
        ({"HostConfig": {"CapDrop": ["ALL"]}}, 400, "fewer capabilities: leave CapDrop out"),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges"]}}, 400, "SecurityOpt"),
        ({"HostConfig": {"ReadonlyRootfs": True}}, 400, "ReadonlyRootfs"),
        ({"HostConfig": {"PidMode": "container:c0"}}, 400, "PidMode"),
        ({"HostConfig": {"Memory": 67108864}}, 400, "limits of memory"),
        ({"HostConfig": {"Ulimits": [{"Name": "nofile", "Soft": 9, "Hard": 9}]}}, 400, "Ulimits"),
        ({"User": "nobody"}, 400, "own root directory"),
        ({"HostConfig": {"PortBindings": {"x/tcp": [{}]}}}, 400, None),
        ({"Cmd": 7}, 400, "invalid JSON"),
    ],
)
async def test_what_cannot_be_made_is_refused(
    engine: Engine, changed: dict[str, Any], status: int, words: str | None
) -> None:
    refused = await engine.ask("POST", "/containers/create", {"Image": "host", **changed}, name="c1")
    assert refused.status == status and (words is None or words in refused.message), refused.body
    assert not await sync_to_async(Container.objects.exists)()


PLAIN = {
    "AttachStdout": True,
    "ArgsEscaped": True,
    "Healthcheck": {"Test": ["NONE"]},
    "Volumes": None,
    "HostConfig": {
        "Binds": [],
        "CgroupnsMode": "",
        "ConsoleSize": [24, 80],
        "ContainerIDFile": "/tmp/id",
        "Init": None,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "MemorySwap": -1,
        "MemorySwappiness": -1,
        "OomKillDisable": False,
        "PidsLimit": -1,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "ShmSize": 0,
    },
}


async def test_what_clients_say_without_asking_for_anything_is_taken(engine: Engine) -> None:
    exposed = {"ExposedPorts": {"9000/udp": {}, "80": {}}, "StopTimeout": -1}
    made = await engine.ask("POST", "/containers/create", {"Image": "host", **PLAIN, **exposed}, name="c1")
    assert made.status == 201, made.body
    shown = await inspect(engine, "c1")
    assert shown["Config"]["ExposedPorts"] == {"80/tcp": {}, "9000/udp": {}}
    assert shown["Config"]["StopTimeout"] == 86400


async def test_published_ports_on_the_host_network_are_warned_about(engine: Engine) -> None:
    settings = {"NetworkMode": "host", "PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    made = await engine.ask("POST", "/containers/create", {"Image": "host", "HostConfig": settings})
    assert made.content["Warnings"] == ["Published ports are discarded when using host network mode"]


async def test_a_taken_name_and_older_clients_limits(engine: Engine) -> None:
    holder = await running("c1")
    refused = await engine.ask("POST", "/containers/create", {"Image": "host"}, name="c1")
    assert (refused.status, holder in refused.message) == (409, True)
    several = {"Image": "host", "NetworkingConfig": {"EndpointsConfig": {"bridge": {}, "none": {}}}}
    old = await Engine(prefix="/v1.43").ask("POST", "/containers/create", several)
    assert old.status == 400
