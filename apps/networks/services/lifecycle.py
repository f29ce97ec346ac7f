"""Containers with their attachments: creating, starting, stopping, renaming, removing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Unpack

from apps.common.errors import Conflict, Invalid
from apps.containers import ports
from apps.containers import services as containers
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.hosts.services import refuse_drained
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.selectors import attached
from apps.networks.services.attachments import Attachments, Wish, present_of
from apps.networks.services.endpoints import drop


def create_container(
    host: Host,
    *,
    attachments: Sequence[tuple[Network, Wish]],
    start: bool = False,
    name: str | None = None,
    hostname: str | None = None,
    command: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    stop_timeout: float = 10.0,
    published: Sequence[ports.Wanted] = (),
    **details: Unpack[containers.Details],
) -> Container:
    """Record a container on its networks, in the order given; without one it is on none of them."""
    refuse_drained(host)
    drivers = [network.driver for network, _ in attachments]
    if len(drivers) > 1 and (Driver.HOST in drivers or Driver.NULL in drivers):
        raise Invalid("only_network", "The host and none networks go with no other network.", "networks")
    container = containers.create(
        host,
        name=name,
        hostname=hostname,
        host_network=Driver.HOST in drivers,
        command=command,
        env=env,
        labels=labels,
        stop_timeout=stop_timeout,
        **details,
    )
    ports.record(container, published)
    making = Attachments([network for network, _ in attachments])
    present: list[Endpoint] = []
    for network, wish in attachments:
        if network.removing:
            raise Conflict("being_removed", f"Network {network.name} is being removed.", "networks")
        if any(endpoint.network_id == network.pk for endpoint in present):
            raise Invalid("network_twice", f"Network {network.name} is given twice.", "networks")
        present.append(making.add(host, network, container, wish, present))
    making.write()
    if start:
        containers.start(container, host.revision)
    return container


def start_container(host: Host, container: Container) -> Container:
    """Start it, unless it runs."""
    if not container.running:
        refuse_drained(host)
        containers.start(container, host.revision)
    return container


def refuse_stopped(container: Container) -> None:
    if container.wanted != Container.Wanted.RUNNING:
        raise Conflict("not_running", f"Container {container.name} is not running; start it first.")


def stop_container(host: Host, container: Container, *, timeout: float | None = None) -> Container:
    """Stop it, unless it does not run; its addresses stay its own."""
    if container.running:
        containers.stop(container, host.revision, timeout)
    return container


def restart_container(host: Host, container: Container, *, timeout: float | None = None) -> Container:
    if timeout is not None:
        container.stop_timeout = timeout
    containers.start(container, host.revision)
    return container


def rename_container(host: Host, container: Container, name: str) -> Container:
    """Give it another name: of the namespace, and on every network."""
    containers.rename(container, name, host)
    _touch_endpoints(container, host.revision)
    return container


def remove_container(host: Host, container: Container, *, force: bool = False) -> Container:
    """Want it gone with all its attachments; a running one only by force."""
    containers.refuse_removing(container)
    if container.running and not force:
        raise Conflict(
            "container_running",
            f"Container {container.name} is running; stop it first, or remove it by force (-f).",
        )
    if container.running:
        container.stop_timeout = 0
    drop(present_of([container.pk])[container.pk], host.revision)
    containers.remove(container, host.revision)
    return container


def give_up_start(host: Host, container: Container, *, message: str, at: datetime) -> None:
    """Its host refuses to start it, and nothing but another try by a person will help."""
    containers.give_up(container, host.revision, message, at)


def end_container(host: Host, container: Container, *, code: int, message: str, at: datetime) -> None:
    """Its process has ended by itself: it is stopped, as if somebody had asked for it."""
    containers.record_exit(container, code, message, at)
    container.wanted = Container.Wanted.STOPPED
    container.state = Container.State.EXITED
    containers.touch(container, host.revision)


def _touch_endpoints(container: Container, revision: int) -> None:
    for endpoint in attached(Endpoint.objects.filter(container=container)):
        endpoint.revision, endpoint.applied, endpoint.error = revision, False, ""
        endpoint.save(update_fields=["revision", "applied", "error"])
