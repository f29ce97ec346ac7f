"""Run as a program with its own database: the record as the first version had it, filled, brought up to date, and used.

Prints what is found afterwards as JSON.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (Django must be set up before models are imported)
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

FIRST = [
    ("accounts", "0001_initial"),
    ("containers", "0001_initial"),
    ("delivery", "0001_initial"),
    ("hosts", "0001_initial"),
    ("ipam", "0002_default_pools"),
    ("networks", "0001_initial"),
]
AT = datetime(2026, 11, 23, tzinfo=UTC)


def pack(address: str) -> bytes:
    """Sixteen bytes, IPv4 as mapped into IPv6."""
    found = ip_address(address)
    return (found if found.version == 6 else IPv6Address(f"::ffff:{found}")).packed


Make = Mapping[str, Callable[..., Any]]


def fill() -> None:
    MigrationExecutor(connection).migrate(FIRST)
    apps = MigrationExecutor(connection).loader.project_state(FIRST).apps
    make = {model.__name__: model.objects.create for model in apps.get_models()}
    host = make["Host"](
        name="node1", revision=7, acked_revision=7, epoch="1", version="0.0.1", kernel="6.1.0"
    )
    marks = {"host": host, "revision": 5, "applied": True}
    network = make["Network"](id="1" * 64, name="old", driver="bridge", labels={"team": "a"}, **marks)
    fill_addresses(make, f"host:{host.pk}", network.pk)
    fill_endpoint(make, network, marks)
    user = make["User"](username="keeper", is_staff=True)
    make["ApiToken"](user=user, key="k" * 8, salt="s", digest="d", name="script")
    make["Operation"](
        actor=user,
        actor_name="keeper",
        host=host,
        action="network.create",
        subject="network",
        subject_id=network.pk,
        subject_name="old",
        revision=5,
        outcome="done",
        finished=AT,
    )


def fill_addresses(make: Make, space: str, holder: str) -> None:
    ends = {"first": pack("10.9.0.0"), "last": pack("10.9.0.7")}
    subnet = make["Subnet"](
        space=space, holder=holder, cidr="10.9.0.0/29", family=4, gateway="10.9.0.1", requested=True, **ends
    )
    taken = {0: ("edge", ""), 1: ("gateway", ""), 2: ("endpoint", "3" * 64), 7: ("edge", "")}
    for number, (purpose, whose) in taken.items():
        text = f"10.9.0.{number}"
        make["Address"](subnet=subnet, value=pack(text), text=text, purpose=purpose, holder=whose)
    make["FreeRange"](subnet=subnet, first=pack("10.9.0.3"), last=pack("10.9.0.6"))


def fill_endpoint(make: Make, network: Any, marks: Mapping[str, Any]) -> None:
    container = make["Container"](
        id="2" * 64,
        name="kept",
        hostname="kept",
        command=["sleep", "1000"],
        env={"A": "b"},
        wanted="running",
        state="running",
        incarnation=3,
        **marks,
    )
    endpoint = make["Endpoint"](
        id="3" * 64,
        container=container,
        network=network,
        index=0,
        order=5,
        mac="02:42:0a:09:00:02",
        ipv4="10.9.0.2",
        ipv4_prefix=29,
        **marks,
    )
    make["Alias"](endpoint=endpoint, name="web")
    make["Link"](endpoint=endpoint, target="other", alias="db")


def use() -> dict[str, object]:
    """What the services of today make of it."""
    from apps.containers.models import Container
    from apps.delivery.changes import Change, carry_out
    from apps.delivery.models import Operation
    from apps.delivery.rows import changes_since
    from apps.hosts.models import Host
    from apps.networks.models import Endpoint, Network
    from apps.networks.services.attachments import Wish
    from apps.networks.services.endpoints import connect
    from apps.networks.services.lifecycle import create_container

    host, network = Host.objects.get(), Network.objects.get(name="old")
    told = changes_since(host, 0)
    asked = Change(actor=None, action="endpoint.connect")
    made, _ = carry_out(
        asked, host, lambda locked: create_container(locked, name="new", attachments=[]), wait=False
    )
    assert isinstance(made, Container)
    carry_out(asked, host, lambda locked: connect(locked, network, made, Wish(aliases=("web",))), wait=False)
    endpoints = Endpoint.objects.filter(network=network).order_by("order")
    token = get_user_model().objects.get(username="keeper").api_tokens.get()
    return {
        "vendor": connection.vendor,
        "told": sorted(f"{row.kind} {getattr(row.spec, 'name', row.id[:1])}" for row in told),
        "in order": [(one.container.name, one.ipv4) for one in endpoints],
        "kept": Container.objects.filter(
            name="kept", command=["sleep", "1000"], env={"A": "b"}, incarnation=3
        ).count(),
        "labels": network.labels,
        "aliases": sorted(endpoints[0].aliases.values_list("name", flat=True)),
        "links": list(endpoints[0].links.values_list("target", "alias")),
        "token": [token.name, token.digest],
        "history": list(
            Operation.objects.filter(action="network.create").values_list("outcome", "actor_name")
        ),
        "outdated": host.outdated,
    }


fill()
call_command("migrate", verbosity=0)
print(json.dumps(use()))
