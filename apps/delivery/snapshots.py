"""What a subject is at the moment of a change, for the history. No queries: a change does not pay for its history."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet

from apps.accounts.models import Grant
from apps.common.statements import select_once
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.ipam.models import Pool
from apps.networks.models import Endpoint, Network

FIELDS: dict[type[models.Model], tuple[str, ...]] = {
    Network: ("name", "driver", "internal", "enable_ipv6", "options", "labels"),
    Container: ("name", "hostname", "wanted", "command", "labels", "stop_timeout"),
    Endpoint: ("interface", "ipv4", "ipv6", "mac", "priority"),
    Host: ("name", "advertise", "drained", "revoked"),
    Grant: ("network", "label", "value", "commands"),
    Pool: ("name", "space", "base", "size", "position"),
}


def describe(subject: models.Model) -> dict[str, Any]:
    """Its fields as a person set them; {} for what has none of interest."""
    return {name: getattr(subject, name) for name in FIELDS.get(type(subject), ())}


ENDINGS = frozenset({"container.exit", "container.kill", "container.stop", "container.restart"})
"""Changes by which a container ends, or has."""


def list_networks(networks: Iterable[Network]) -> list[dict[str, str]]:
    return [{"id": network.pk, "name": network.name, "driver": network.driver} for network in networks]


def tell_touched(action: str, subject: models.Model) -> dict[str, Any]:
    """Which networks a running container joined or left by the change, while that can still be seen.

    {"container": id, "networks": [{id, name, driver}]}; a query only where a container begins or ends.
    """
    if isinstance(subject, Endpoint):
        joined = [subject.network] if subject.container.running else []
        return {"container": subject.container_id, "networks": list_networks(joined)}
    if isinstance(subject, Container) and (subject.running or action in ENDINGS or _ends(subject)):
        touched = _networks_of(subject.pk, subject.revision)
        return {"container": subject.pk, "networks": list_networks(touched)}
    return {}


def _ends(container: Container) -> bool:
    """It runs still, and shall be removed."""
    going = container.wanted == Container.Wanted.REMOVING
    return going and container.started is not None and container.finished is None


@select_once
def _networks_of(container: str, revision: int) -> QuerySet[Network]:
    """Those that it is on, and those that it just left with this change."""
    mine = Q(removing=False) | Q(revision=revision)
    endpoints = Endpoint.objects.filter(mine, container=container)
    return Network.objects.filter(pk__in=endpoints.values("network"))
