"""/containers/create: what a client of the engine asks for, as a container of ours; what we cannot is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from apps.containers import ports
from apps.containers.models import Container
from apps.docker_api import images
from apps.docker_api.changes import change
from apps.docker_api.endpoints import read_wish, show_wish
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer
from apps.docker_api.shapes import read_list, read_map, read_object, read_text, read_texts
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.rules import read_link
from apps.networks.selectors import find_network
from apps.networks.services import lifecycle
from apps.networks.services.endpoints import Wish

SEVERAL = (1, 44)
"""The version from which on a container may be made on several networks."""
BRIDGE = "bridge"
_LIMITS = (
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "NanoCpus",
    "CpuShares",
    "CpuQuota",
    "CpusetCpus",
    "PidsLimit",
    "BlkioWeight",
    "Ulimits",
)
_MISSING = {
    "Binds": "volumes",
    "Mounts": "volumes",
    "VolumesFrom": "volumes",
    "Tmpfs": "file systems in memory",
    "Devices": "devices",
    "DeviceRequests": "devices",
    "CapAdd": "further capabilities",
    "CapDrop": "fewer capabilities",
    "Privileged": "privileged containers",
    "SecurityOpt": "security options",
    "ReadonlyRootfs": "read-only root directories",
    "PidMode": "shared process namespaces",
    "UTSMode": "shared host names",
    "UsernsMode": "user namespaces",
    "GroupAdd": "further groups",
    "Init": "init process in containers",
    "AutoRemove": "removing a container at its end (--rm)",
    **dict.fromkeys(_LIMITS, "limits of memory, processors, processes or files"),
}
"""Of HostConfig: what would change what a container does or may do, and is not here. Whoever asks for less than
everything must not believe to have it."""


def create(request: Request, facts: dict[str, str]) -> Answer:
    body = request.body
    settings = read_object(body, "HostConfig")
    _refuse_missing(body, settings)
    images.find(read_text(body, "Image"))
    name = request.value("name").removeprefix("/") or None
    facts["name"] = name or ""
    holder = (
        Container.objects.filter(host=request.host, name=facts["name"]).values_list("pk", flat=True).first()
    )
    facts["holder"] = holder or ""
    wishes = _read_wishes(request, settings)
    published = ports.read(_write_ports(body, settings))
    fields = _read_fields(body, settings)

    def work(locked: Host) -> Container:
        wanted: list[tuple[Network, Wish]] = []
        for term, wish in wishes:
            facts["term"] = term
            wanted.append((find_network(term, locked), wish))
        return lifecycle.create_container(
            locked, name=name, attachments=wanted, published=published, **fields
        )

    # Values of variables are often secrets: the history keeps their names only.
    shown = {"env": sorted(fields["env"]), "networks": [(term, show_wish(wish)) for term, wish in wishes]}
    container = change(request, "container.create", work, detail={**fields, "name": name, **shown})
    return Answer({"Id": container.pk, "Warnings": []}, status=201)


def _refuse_missing(body: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    for key, what in _MISSING.items():
        if settings.get(key):
            raise EngineError(400, f"netadmin has no {what}: leave {key} out.")
    policy = read_text(read_object(settings, "RestartPolicy"), "Name")
    if policy not in ("", "no"):
        raise EngineError(400, "netadmin does not start containers again by itself: leave RestartPolicy out.")
    for key in ("User", "WorkingDir"):
        if read_text(body, key):
            raise EngineError(
                400, f"The host's own root directory knows no {key}: processes run there as root, in /."
            )


def _read_wishes(request: Request, settings: Mapping[str, Any]) -> list[tuple[str, Wish]]:
    """Networks by name or id with what is wanted there, the container's mode first."""
    given = read_object(read_object(request.body, "NetworkingConfig"), "EndpointsConfig")
    if len(given) > 1 and request.version < SEVERAL:
        raise EngineError(
            400, "Container cannot be connected to network endpoints: " + ", ".join(sorted(given))
        )
    mode = read_text(settings, "NetworkMode")
    if mode.startswith("container:"):
        raise EngineError(400, "netadmin has no containers that share another one's network.")
    first = BRIDGE if mode in ("", "default") else mode
    if mode in ("", "default") and "default" in given:
        given = {BRIDGE if name == "default" else name: wish for name, wish in given.items()}
    if request.body.get("NetworkDisabled"):
        first = "none"
    wishes = {name: read_wish(wish or {}) for name, wish in given.items()}
    main = wishes.pop(first, None) or wishes.pop(_id_of(request, first, wishes), None) or Wish()
    links = [read_link(link) for link in read_texts(settings, "Links")]
    mac = main.mac or read_text(request.body, "MacAddress") or None
    return [
        (first, replace(main, links=list(dict.fromkeys([*main.links, *links])), mac=mac)),
        *wishes.items(),
    ]


def _id_of(request: Request, name: str, others: Mapping[str, Wish]) -> str:
    """The network's id where `others` may have it by that."""
    return find_network(name, request.host).pk if others else ""


def _write_ports(body: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    """As people write them."""
    bound = read_object(settings, "PortBindings")
    for port in bound:
        for binding in read_list(bound, port) or [{}]:
            address, number = read_text(binding, "HostIp"), read_text(binding, "HostPort")
            before = f"[{address}]" if ":" in address else address
            yield f"{before}:{number}:{port}" if address else f"{number}:{port}" if number else port
    if settings.get("PublishAllPorts"):
        yield from (port for port in read_object(body, "ExposedPorts") if port not in bound)


def _read_fields(body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in read_texts(body, "Env")]
    seconds = body.get("StopTimeout")
    return {
        "hostname": read_text(body, "Hostname") or None,
        "command": [*read_texts(body, "Entrypoint"), *read_texts(body, "Cmd")],
        "env": {name: value for name, equals, value in pairs if equals},
        "labels": read_map(body, "Labels"),
        "stop_timeout": float(seconds) if isinstance(seconds, int) and seconds >= 0 else 10.0,
        "terminal": bool(body.get("Tty")),
        "open_stdin": bool(body.get("OpenStdin")),
        "image_name": read_text(body, "Image"),
        "dns": read_texts(settings, "Dns"),
        "dns_search": read_texts(settings, "DnsSearch"),
        "dns_options": read_texts(settings, "DnsOptions"),
        "extra_hosts": read_texts(settings, "ExtraHosts"),
        "sysctls": read_map(settings, "Sysctls"),
    }
