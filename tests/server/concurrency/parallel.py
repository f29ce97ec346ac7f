"""Run as a program with its own database: 50 connects at once; prints their addresses as JSON."""

import json
import os
import threading

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection  # noqa: E402  (Django must be set up before models are imported)

from apps.containers.models import Container  # noqa: E402
from apps.delivery.changes import Change, carry_out  # noqa: E402
from apps.hosts.services import enrol  # noqa: E402
from apps.ipam.plan import SubnetRequest  # noqa: E402
from apps.networks.models import Endpoint, Network  # noqa: E402
from apps.networks.services.attachments import Wish  # noqa: E402
from apps.networks.services.endpoints import connect  # noqa: E402
from apps.networks.services.lifecycle import create_container  # noqa: E402
from apps.networks.services.networks import create_network  # noqa: E402

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
    tell(network, errors)


def tell(network: Network, errors: list[str]) -> None:
    endpoints = Endpoint.objects.filter(network=network)
    print(
        json.dumps(
            {
                "vendor": connection.vendor,
                "errors": errors,
                "addresses": sorted(endpoints.values_list("ipv4", flat=True)),
                "revisions": sorted(endpoints.values_list("revision", flat=True)),
            }
        )
    )


main()
