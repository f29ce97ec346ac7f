"""Run as a program on PostgreSQL: connects to one overlay from two hosts at once, which have no lock in common but
those of the network and its subnet. Prints the outcome as JSON.
"""

import json
import os
import threading

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection, transaction  # noqa: E402  (Django must be set up before models are imported)

from apps.delivery.changes import Change, carry_out  # noqa: E402
from apps.hosts.models import Host  # noqa: E402
from apps.ipam.plan import SubnetRequest  # noqa: E402
from apps.networks.models import Endpoint, Network  # noqa: E402
from apps.networks.services.attachments import Wish  # noqa: E402
from apps.networks.services.lifecycle import create_container  # noqa: E402
from apps.networks.services.overlays import create_overlay  # noqa: E402
from tests.server.hosts import enrol_host  # noqa: E402

EACH = 20
"""Containers on each of the two hosts."""


def main() -> None:
    call_command("migrate", verbosity=0)
    hosts = [make_host(name, number) for number, name in enumerate(("near", "far"), 1)]
    with transaction.atomic():
        overlay = create_overlay(name="wide", subnets=[SubnetRequest(cidr="10.9.0.0/24")])
    errors: list[str] = []
    together = threading.Barrier(len(hosts))
    threads = [threading.Thread(target=fill, args=(host, overlay, together, errors)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    addresses = list(Endpoint.objects.filter(network=overlay).values_list("ipv4", flat=True))
    told = {"vendor": connection.vendor, "errors": errors, "addresses": len(addresses)}
    print(json.dumps(told | {"different": len(set(addresses))}))


def make_host(name: str, number: int) -> Host:
    host = enrol_host(name)
    Host.objects.filter(pk=host.pk).update(
        advertise=f"192.0.2.{number}", underlays={f"192.0.2.{number}": 1500}
    )
    return Host.objects.get(pk=host.pk)


def fill(host: Host, overlay: Network, together: threading.Barrier, errors: list[str]) -> None:
    try:
        for number in range(EACH):
            together.wait(60)
            carry_out(
                Change(actor=None, action="container.create"),
                host,
                lambda locked, number=number: create_container(
                    locked, name=f"c{number}", attachments=[(overlay, Wish())]
                ),
                wait=False,
            )
    except Exception as error:
        together.abort()
        errors.append(repr(error))
    finally:
        connection.close()


main()
