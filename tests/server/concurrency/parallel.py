"""Run as a program with its own database: 50 connects at once, their host's reports, and their end; prints JSON."""

import json
import os
import threading

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection, transaction  # noqa: E402  (Django must be set up before models are imported)

from apps.containers.models import Container  # noqa: E402
from apps.delivery.changes import Change, carry_out  # noqa: E402
from apps.delivery.models import Operation  # noqa: E402
from apps.hosts.models import Host  # noqa: E402
from apps.hosts.services import advance, enrol  # noqa: E402
from apps.ipam.cidr import unpack  # noqa: E402
from apps.ipam.models import FreeRange  # noqa: E402
from apps.ipam.plan import SubnetRequest  # noqa: E402
from apps.networks.models import Endpoint, Network  # noqa: E402
from apps.networks.services.attachments import Wish  # noqa: E402
from apps.networks.services.endpoints import connect, disconnect  # noqa: E402
from apps.networks.services.lifecycle import create_container  # noqa: E402
from apps.networks.services.networks import create_network  # noqa: E402
from tests.server.hosts import AnsweringHosts  # noqa: E402

COUNT = 50


def main() -> None:
    call_command("migrate", verbosity=0)
    host, _ = enrol("node1")
    network, _ = carry_out(
        Change(actor=None, action="network.create"),
        host,
        lambda locked: create_network(locked, name="lab", subnets=[SubnetRequest(cidr="10.9.0.0/24")]),
        wait=False,
    )
    containers = [
        carry_out(
            Change(actor=None, action="container.create"),
            host,
            lambda locked, n=n: create_container(locked, name=f"c{n}", attachments=[]),
            wait=False,
        )[0]
        for n in range(COUNT)
    ]
    ready = threading.Barrier(COUNT)
    errors: list[str] = []

    def attach(container: Container) -> None:
        ready.wait()
        try:
            carry_out(
                Change(actor=None, action="endpoint.connect"),
                host,
                lambda locked: connect(locked, network, container, Wish()),
                wait=False,
            )
        except Exception as error:
            errors.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=attach, args=(container,)) for container in containers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    endpoints = Endpoint.objects.filter(network=network)
    told = {
        "vendor": connection.vendor,
        "errors": errors,
        "addresses": sorted(endpoints.values_list("ipv4", flat=True)),
        "revisions": sorted(endpoints.values_list("revision", flat=True)),
    }
    print(json.dumps(told | follow_to_the_end(host, network, containers)))


def follow_to_the_end(host: Host, network: Network, containers: list[Container]) -> dict[str, object]:
    """What the host's reports make of it, and of everything disconnected again."""
    AnsweringHosts().catch_up(host)
    endpoints = Endpoint.objects.filter(network=network)
    told = {"applied": endpoints.filter(applied=True).count()}
    with transaction.atomic():
        locked = advance(host.pk)
        for container in containers:
            disconnect(locked, network, container)
    AnsweringHosts().catch_up(host)
    free = [
        (unpack(run.first), unpack(run.last)) for run in FreeRange.objects.filter(subnet__holder=network.pk)
    ]
    return {
        **told,
        "left": endpoints.count(),
        "free": [last - first + 1 for first, last in free],
        "pending": Operation.objects.filter(outcome=Operation.Outcome.PENDING).count(),
    }


main()
