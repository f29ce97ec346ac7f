"""Changes of the history as the engine's events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.docker_api.versions import STRUCTURED, Version


@dataclass(frozen=True)
class Event:
    type: str
    action: str
    id: str
    at: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)
    scope: str = "local"

    def shape(self, version: Version) -> dict[str, Any]:
        """Up to 1.51 containers and images have their id, action and image a second time, on top."""
        nano = int(self.at.timestamp() * 1_000_000) * 1000
        shown = {
            "Type": self.type,
            "Action": self.action,
            "Actor": {"ID": self.id, "Attributes": dict(self.attributes)},
            "scope": self.scope,
            "time": nano // 1_000_000_000,
            "timeNano": nano,
        }
        if version >= STRUCTURED or self.type not in ("container", "image"):
            return shown
        image = {"from": self.attributes["image"]} if self.attributes.get("image") else {}
        return {"status": self.action, "id": self.id, **image, **shown}


def describe_operation(operation: Operation) -> list[Event]:
    """The events that the engine would have told, in its order; [] for what it knows nothing of."""
    events = _EVENTS.get(operation.action)
    return list(events(operation)) if events else []


def _at(operation: Operation) -> datetime:
    return operation.finished or operation.at


def _network(action: str, id: str, name: str, driver: str, at: datetime, **others: str) -> Event:
    scope = "global" if driver == "overlay" else "local"
    return Event("network", action, id, at, {**others, "name": name, "type": driver}, scope)


def _network_changed(operation: Operation) -> Iterator[Event]:
    action = {"network.create": "create", "network.remove": "destroy"}[operation.action]
    driver = (operation.after or {}).get("driver") or operation.detail.get("driver", "bridge")
    yield _network(action, operation.subject_id, operation.subject_name, driver, _at(operation))


def _networks_pruned(operation: Operation) -> Iterator[Event]:
    for removed in operation.detail.get("networks", ()):
        yield _network("destroy", removed["id"], removed["name"], removed["driver"], _at(operation))
    yield Event("network", "prune", "", _at(operation), {"reclaimed": "0"})


def _endpoint_changed(operation: Operation) -> Iterator[Event]:
    # What a stopped container is connected to it joins at its start, and tells so then.
    yield from _attachments(operation, operation.action.partition(".")[2])


def _container(operation: Operation, *actions: str, **others: str) -> Iterator[Event]:
    """One event for each action; connect and disconnect are told of each network that the container is on."""
    container = Container.objects.filter(pk=operation.subject_id).first()
    labels = (operation.after or {}).get("labels") or (container.labels if container else {})
    image = container.image_name if container else ""
    name = operation.detail.get("name") or operation.subject_name
    attributes = {**labels, "image": image, "name": name, **others}
    for action in actions:
        if action in ("connect", "disconnect"):
            yield from _attachments(operation, action)
        else:
            yield Event("container", action, operation.subject_id, _at(operation), attributes)


def _attachments(operation: Operation, action: str) -> Iterator[Event]:
    for network in operation.touched.get("networks", ()):
        yield _network(
            action,
            network["id"],
            network["name"],
            network["driver"],
            _at(operation),
            container=operation.touched["container"],
        )


def _ended(operation: Operation, *last: str) -> Iterator[Event]:
    code = str(operation.detail.get("exit_code", _exit_code(operation)))
    yield from _container(operation, "die", exitCode=code)
    yield from _container(operation, "disconnect", *last)


def _exit_code(operation: Operation) -> int:
    return Container.objects.filter(pk=operation.subject_id).values_list("exit_code", flat=True).first() or 0


def _created(operation: Operation) -> Iterator[Event]:
    yield from _container(operation, "create")
    if operation.detail.get("start"):
        yield from _container(operation, "connect", "start")


def _stopped(operation: Operation) -> Iterator[Event]:
    yield from _container(operation, "kill", signal="15")
    yield from _ended(operation, "stop")


def _killed(operation: Operation) -> Iterator[Event]:
    """The end that follows another signal is told by itself."""
    yield from _container(operation, "kill", signal=str(operation.detail.get("signal", 9)))
    if operation.revision:
        yield from _ended(operation)


def _restarted(operation: Operation) -> Iterator[Event]:
    yield from _stopped(operation)
    yield from _container(operation, "connect", "start", "restart")


def _removed(operation: Operation) -> Iterator[Event]:
    if operation.touched.get("networks"):
        yield from _container(operation, "kill", signal="9")
        yield from _container(operation, "die", exitCode="137")
        yield from _container(operation, "disconnect")
    yield from _container(operation, "destroy")


def _executed(operation: Operation) -> Iterator[Event]:
    command = " ".join(operation.detail.get("command", ()))
    yield from _container(operation, f"exec_create: {command}", f"exec_start: {command}")


_EVENTS = {
    "network.create": _network_changed,
    "network.remove": _network_changed,
    "network.prune": _networks_pruned,
    "endpoint.connect": _endpoint_changed,
    "endpoint.disconnect": _endpoint_changed,
    "container.create": _created,
    "container.start": lambda operation: _container(operation, "connect", "start"),
    "container.stop": _stopped,
    "container.restart": _restarted,
    "container.exit": _ended,
    "container.attach": lambda operation: _container(operation, "attach"),
    "container.kill": _killed,
    "container.rename": lambda operation: _container(
        operation, "rename", oldName=f"/{operation.detail.get('before', '')}"
    ),
    "container.remove": _removed,
    "container.exec": _executed,
}
