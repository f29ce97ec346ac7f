"""What a subject is at the moment of a change, for the history. No queries: a change does not pay for its history."""

from typing import Any

from django.db import models

from apps.accounts.models import Grant
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
