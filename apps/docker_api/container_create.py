"""/containers/create: what a client of the engine asks for, as a container of ours; what we cannot is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from apps.containers import ports
from apps.containers.models import Container
from apps.delivery.images import Image, container_details
from apps.docker_api import images
from apps.docker_api.changes import change
from apps.docker_api.container_shapes import EXPOSED, KEPT
from apps.docker_api.containers import read_signal
from apps.docker_api.endpoints import read_wish, show_wish
from apps.docker_api.options import check_container, read_place
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer
from apps.docker_api.shapes import read_map, read_number, read_object, read_objects, read_text, read_texts
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.rules import read_link
from apps.networks.selectors import find_network
from apps.networks.services import lifecycle
from apps.networks.services.attachments import Wish

SEVERAL = (1, 44)
"""The version from which on a container may be made on several networks."""
BRIDGE = "bridge"
FOR_EVER = 86400.0
"""Seconds: what the engine calls so."""


def create(request: Request, facts: dict[str, str]) -> Answer:
    body = request.body
    settings = read_object(body, "HostConfig")
    image = images.find(request.host, read_text(body, "Image"))
    check_container(body, image=image is not None)
    if image is not None:
        offered = image.config.get("ExposedPorts") or {}
        signal = read_text(body, "StopSignal") or read_text(image.config, "StopSignal")
        exposed = {**offered, **read_object(body, "ExposedPorts")}
        body = {**body, "ExposedPorts": exposed, "StopSignal": signal}
    name = request.value("name").removeprefix("/") or None
    facts["name"] = name or ""
    holder = (
        Container.objects.filter(host=request.host, name=facts["name"]).values_list("pk", flat=True).first()
    )
    facts["holder"] = holder or ""
    wishes = _read_wishes(request, settings)
    published = ports.read(_write_ports(body, settings))
    fields = {**_read_fields(body, settings), **_read_process(body, image)}

    def work(locked: Host) -> Container:
        wanted: list[tuple[Network, Wish]] = []
        for term, wish in wishes:
            facts["term"] = term
            wanted.append((find_network(term, locked), wish))
        if len(wanted) == 1:
            facts["network"], facts["network_id"] = wanted[0][0].name, wanted[0][0].pk
        return lifecycle.create_container(
            locked, name=name, attachments=wanted, published=published, **fields
        )

    # Values of variables are often secrets: the history keeps their names only.
    shown = {"env": sorted(fields["env"]), "networks": [(term, show_wish(wish)) for term, wish in wishes]}
    container = change(request, "container.create", work, detail={**fields, "name": name, **shown})
    discarded = published and container.host_network
    warnings = ["Published ports are discarded when using host network mode"] if discarded else []
    return Answer({"Id": container.pk, "Warnings": warnings}, status=201)


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
    wishes = {name: read_wish(read_object(given, name)) for name in given}
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
        for binding in read_objects(bound, port) or [{}]:
            address, number = read_text(binding, "HostIp"), read_text(binding, "HostPort")
            before = f"[{address}]" if ":" in address else address
            yield f"{before}:{number}:{port}" if address else f"{number}:{port}" if number else port
    if settings.get("PublishAllPorts"):
        yield from (port for port in read_object(body, "ExposedPorts") if port not in bound)


def _read_exposed(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is only told: by `docker ps` and inspect."""
    exposed = ports.read(read_object(body, "ExposedPorts"))
    return {EXPOSED: sorted({f"{port.port}/{port.protocol}" for port in exposed})} if exposed else {}


def _read_process(body: Mapping[str, Any], image: Image | None) -> dict[str, Any]:
    """What runs, as whom and where: of the image what is not asked for."""
    pairs = [pair.partition("=") for pair in read_texts(body, "Env")]
    env = {name: value for name, equals, value in pairs if equals}
    entrypoint, command = read_texts(body, "Entrypoint"), read_texts(body, "Cmd")
    name = read_text(body, "Image")
    place = read_place(body, image=image is not None)
    if image is None:
        return {"image_name": name, "command": [*entrypoint, *command], "env": env, **place}
    given = entrypoint if body.get("Entrypoint") is not None else None
    command, env, details = container_details(
        image, name, command=command, entrypoint=given, env=env, **place
    )
    return {**details, "command": command, "env": env}


def _read_fields(body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    seconds = read_number(body, "StopTimeout") if body.get("StopTimeout") is not None else None
    return {
        "hostname": read_text(body, "Hostname") or None,
        "labels": read_map(body, "Labels"),
        "stop_timeout": 10.0
        if seconds is None
        else min(float(seconds), FOR_EVER)
        if seconds >= 0
        else FOR_EVER,
        "stop_signal": _read_stop_signal(body),
        "terminal": bool(body.get("Tty")),
        "open_stdin": bool(body.get("OpenStdin")),
        **_read_restart(settings),
        "dns": read_texts(settings, "Dns"),
        "dns_search": read_texts(settings, "DnsSearch"),
        "dns_options": read_texts(settings, "DnsOptions"),
        "extra_hosts": read_texts(settings, "ExtraHosts"),
        "sysctls": read_map(settings, "Sysctls"),
        "given": _read_exposed(body) | {name: True for name in KEPT if body.get(name)},
    }


def _read_restart(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is to become of it when its process has ended; refused in the engine's words."""
    given = read_object(settings, "RestartPolicy")
    name, limit = read_text(given, "Name") or "no", read_number(given, "MaximumRetryCount")
    about, auto_remove = "invalid restart policy: ", bool(settings.get("AutoRemove"))
    if name not in Container.Restart.values:
        *others, last = (f"'{one}'" for one in ("no", "always", "on-failure", "unless-stopped"))
        raise EngineError(400, f"{about}unknown policy '{name}'; use one of {', '.join(others)}, or {last}")
    if limit and given.get("Name") and name != "on-failure":
        below = " and cannot be negative" if limit < 0 else ""
        raise EngineError(400, f"{about}maximum retry count can only be used with 'on-failure'{below}")
    if limit < 0:
        raise EngineError(400, f"{about}maximum retry count cannot be negative")
    if auto_remove and name != "no":
        raise EngineError(400, "can't create 'AutoRemove' container with restart policy")
    return {
        "restart_policy": name,
        "restart_limit": limit if name == "on-failure" else 0,
        "auto_remove": auto_remove,
    }


def _read_stop_signal(body: Mapping[str, Any]) -> str:
    """As it was asked for, if it is a signal."""
    text = read_text(body, "StopSignal")
    if text:
        read_signal(text)
    return text
