"""Run as a program with its own database: 50 connects at once, the last of them among some that are refused; their
host's reports, and their end. Prints JSON.
"""

import json
import os
import threading
import time
from dataclasses import replace

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection, transaction  # noqa: E402  (Django must be set up before models are imported)

from apps.common.errors import DomainError  # noqa: E402
from apps.containers.models import Container  # noqa: E402
from apps.delivery.changes import Change, carry_out, connects  # noqa: E402
from apps.delivery.models import Operation  # noqa: E402
from apps.hosts.models import Host  # noqa: E402
from apps.hosts.services import advance, enrol, lock  # noqa: E402
from apps.ipam.cidr import unpack  # noqa: E402
from apps.ipam.models import FreeRange  # noqa: E402
from apps.ipam.plan import SubnetRequest  # noqa: E402
from apps.networks.models import Endpoint, Network  # noqa: E402
from apps.networks.services.attachments import Wish  # noqa: E402
from apps.networks.services.batches import Wanted  # noqa: E402
from apps.networks.services.endpoints import disconnect  # noqa: E402
from apps.networks.services.lifecycle import create_container  # noqa: E402
from apps.networks.services.networks import create_network  # noqa: E402
from tests.server.hosts import AnsweringHosts  # noqa: E402

COUNT, UNDISTURBED = 50, 40


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
        for n in range(COUNT + 1)
    ]
    *wanted, unlucky = [Wanted(network, container, Wish()) for container in containers]
    before = Host.objects.get(pk=host.pk).revision
    told = {
        "vendor": connection.vendor,
        "refused": meet(host, wanted[:UNDISTURBED]),
        "together": Host.objects.get(pk=host.pk).revision - before,
        "refused among others": meet(
            host,
            [*wanted[UNDISTURBED:], wanted[0], wanted[-1], replace(unlucky, wish=Wish(ipv4="192.0.2.1"))],
        ),
    }
    endpoints = Endpoint.objects.filter(network=network)
    told |= {
        "addresses": sorted(endpoints.values_list("ipv4", flat=True)),
        "revisions": sorted({each - before for each in endpoints.values_list("revision", flat=True)}),
        "of the host": Host.objects.get(pk=host.pk).revision - before,
        "recorded": Operation.objects.filter(action="endpoint.connect").count(),
    }
    print(json.dumps(told | follow_to_the_end(host, network, containers[:COUNT])))


def meet(host: Host, wanted: list[Wanted]) -> list[str]:
    """Connect all of them while somebody else has the host, and let it go when all are there; what was refused."""
    refused: list[str] = []

    def attach(each: Wanted) -> None:
        try:
            carry_out(Change(actor=None, action="endpoint.connect"), host, each, wait=False)
        except DomainError as error:
            refused.append(error.code)
        except Exception as error:
            refused.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=attach, args=(each,)) for each in wanted]
    with transaction.atomic():
        lock(host.pk)
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 15
        while len(connects._lines.get(host.pk, ())) < len(threads) and time.monotonic() < deadline:
            time.sleep(0.005)
    for thread in threads:
        thread.join()
    return sorted(refused)


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
