"""Containers as the engine shows them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.api.inspect import STATUS, describe_attachments, describe_container
from apps.containers.models import Container
from apps.docker_api.image_shapes import HOST, HOST_ID
from apps.docker_api.options import ATTACHED, OWN, RUNTIME, SHARES
from apps.docker_api.versions import STRUCTURED, Version
from workers.contract.publishing import ALL4, ALL6

RUNNING = "running"
EXPOSED = "ExposedPorts"
"""Under which `Container.given` holds ports that are told of and not published, as `80/tcp`."""
KEPT = (*ATTACHED, "StdinOnce")
"""Shown as they were asked for."""
_UNITS = (
    ("seconds", "1 second", 1, 60),
    ("minutes", "About a minute", 60, 3600),
    ("hours", "About an hour", 3600, 172800),
    ("days", "", 86400, 1209600),
    ("weeks", "", 604800, 5184000),
    ("months", "", 2592000, 63072000),
    ("years", "", 31536000, 0),
)
"""Word, how one of them is called, its seconds, and until how many seconds it is used."""
_ENDED = {"exited": "Exited", "restarting": "Restarting"}
_LEGACY = {
    "Bridge": "",
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
}
_FIRST = (
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
)
"""Repeated on top, up to 1.51, of the container's place on the default bridge."""
_HOST_CONFIG: Mapping[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "host",
    "GroupAdd": None,
    "Cgroup": "",
    "Links": None,
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "Runtime": RUNTIME,
}
"""What nobody can ask of us, as the engine has it when nobody did."""


def is_up(container: Container) -> bool:
    """It runs, or is about to run again."""
    return status_of(container) in (RUNNING, "restarting")


def status_of(container: Container) -> str:
    return STATUS.get(Container.State(container.state), container.state)


def list_shapes(containers: Sequence[Container], now: datetime) -> list[dict[str, Any]]:
    networks = describe_attachments(containers)
    return [_outline(container, networks[container.pk], now) for container in containers]


def _outline(container: Container, networks: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "Id": container.pk,
        "Names": [f"/{container.name}"],
        "Image": container.image_name or HOST,
        "ImageID": _image_id(container),
        "Command": " ".join([*container.entrypoint, *container.command]),
        "Created": int(container.created.timestamp()),
        "Ports": _list_ports(container) if is_up(container) else [],
        "Labels": container.labels,
        "State": status_of(container),
        "Status": tell_status(container, now),
        "HostConfig": {"NetworkMode": next(iter(networks), "none")},
        "NetworkSettings": {"Networks": networks},
        "Mounts": [],
    }


def _list_ports(container: Container) -> list[dict[str, Any]]:
    published = [
        {"IP": address, "PrivatePort": port.port, "PublicPort": port.host_port, "Type": port.protocol}
        for port in container.ports.all()
        if port.host_port
        for address in ([port.address] if port.address else [ALL4, ALL6])
    ]
    bound = {(port["PrivatePort"], port["Type"]) for port in published}
    told = [text.split("/") for text in container.given.get(EXPOSED, ())]
    return published + [
        {"PrivatePort": int(port), "Type": protocol}
        for port, protocol in told
        if (int(port), protocol) not in bound
    ]


def _image_id(container: Container) -> str:
    return f"sha256:{container.image}" if container.image else HOST_ID


def tell_status(container: Container, now: datetime) -> str:
    """As in `docker ps`: Up 3 minutes."""
    status = status_of(container)
    if status == RUNNING:
        return f"Up {tell_span((now - (container.started or now)).total_seconds())}"
    if status in _ENDED:
        ended = tell_span((now - (container.finished or now)).total_seconds())
        return f"{_ENDED[status]} ({container.exit_code or 0}) {ended} ago"
    return {"created": "Created", "removing": "Removal In Progress"}[status]


def tell_span(seconds: float) -> str:
    """The engine's words: About a minute, 3 hours."""
    if seconds < 1:
        return "Less than a second"
    word, one, unit, _ = next(each for each in _UNITS if seconds < each[3] or not each[3])
    count = int(seconds // unit)
    return one if count == 1 and one else f"{count} {word}"


def inspect_shape(container: Container, version: Version) -> dict[str, Any]:
    shown = describe_container(container)
    words = [*container.entrypoint, *container.command]
    settings = shown["NetworkSettings"]
    if shown["State"]["Running"]:
        settings["Ports"] = {**dict.fromkeys(container.given.get(EXPOSED, ())), **settings["Ports"]}
    if version < STRUCTURED:
        first = settings["Networks"].get("bridge", {})
        legacy = {name: first.get(name, 0 if name.endswith("Len") else "") for name in _FIRST}
        settings = {**_LEGACY, **settings, **legacy}
    return {
        "Id": container.pk,
        "Created": shown["Created"],
        "Path": words[0] if words else "",
        "Args": words[1:],
        "State": {
            **shown["State"],
            "Paused": False,
            "OOMKilled": False,
            "Dead": container.state == Container.State.REMOVING,
        },
        "Image": _image_id(container),
        "ResolvConfPath": "",
        "HostnamePath": "",
        "HostsPath": "",
        "LogPath": "",
        "Name": f"/{container.name}",
        "RestartCount": shown["RestartCount"],
        "Driver": "overlayfs",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": {
            **_HOST_CONFIG,
            **(OWN if container.image else SHARES),
            **shown["HostConfig"],
            "AutoRemove": container.auto_remove,
        },
        "Mounts": [],
        "Config": _describe_config(container, shown["Config"]),
        "NetworkSettings": {"SandboxID": container.pk if settings["SandboxKey"] else "", **settings},
    }


def _describe_config(container: Container, shown: Mapping[str, Any]) -> dict[str, Any]:
    told = [*(str(port) for port in container.ports.all()), *container.given.get(EXPOSED, ())]
    ports: dict[str, dict[str, str]] = {port: {} for port in sorted(told)}
    return {
        "Hostname": container.hostname,
        "Domainname": "",
        "User": container.user,
        **{name: bool(container.given.get(name)) for name in KEPT},
        **({"ExposedPorts": ports} if ports else {}),
        "Tty": container.terminal,
        "OpenStdin": container.open_stdin,
        "Env": shown["Env"] or None,
        "Cmd": shown["Cmd"],
        "Image": container.image_name or HOST,
        "Volumes": None,
        "WorkingDir": container.working_dir,
        "Entrypoint": container.entrypoint or None,
        "OnBuild": None,
        "Labels": container.labels,
        **({"StopSignal": container.stop_signal} if container.stop_signal else {}),
        "StopTimeout": int(container.stop_timeout),
    }


def now() -> datetime:
    return datetime.now(UTC)
