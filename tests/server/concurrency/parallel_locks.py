"""Run as a program on PostgreSQL: a connect to an overlay meets a report of another host, which tells of an endpoint
that came and of one that went. Prints as JSON whether they met, and what became of both.
"""

import json
import os
import threading
import time

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection, transaction  # noqa: E402  (Django must be set up before models are imported)

from apps.containers.models import Container  # noqa: E402
from apps.delivery.receiver import receive  # noqa: E402
from apps.hosts.models import Host  # noqa: E402
from apps.hosts.services import advance  # noqa: E402
from apps.ipam.plan import SubnetRequest  # noqa: E402
from apps.ipam.taking import lock_subnets  # noqa: E402
from apps.networks.models import Endpoint, Network, Peer  # noqa: E402
from apps.networks.services.attachments import Wish  # noqa: E402
from apps.networks.services.endpoints import connect, disconnect  # noqa: E402
from apps.networks.services.memberships import lock_spanning  # noqa: E402
from apps.networks.services.overlays import create_overlay  # noqa: E402
from tests.server.hosts import AnsweringHosts, enrol_host  # noqa: E402
from workers.contract.reports import Outcome, Report  # noqa: E402

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def main() -> None:
    call_command("migrate", verbosity=0)
    near, far = (make_host(name, number) for number, name in enumerate(("near", "far"), 1))
    with transaction.atomic():
        overlay = create_overlay(name="wide", subnets=[SubnetRequest(cidr="10.9.0.0/24")])
    _, going, coming = (attach(host, overlay, name) for host, name in ((near, "a"), (far, "b"), (far, "c")))
    AnsweringHosts().catch_up(near)
    report = prepare_report(far, going, coming)
    told: dict[str, object] = {"vendor": connection.vendor, "errors": []}

    def take_in() -> None:
        try:
            receive(Host.objects.get(pk=far.pk), report)
        except Exception as error:
            told["errors"] = [repr(error)]
        finally:
            connection.close()

    other = threading.Thread(target=take_in)
    with transaction.atomic():
        advance(near.pk)
        lock_spanning([overlay.pk])
        other.start()
        told["met"] = await_waiting()
        # What a connect does next: whoever waits for it must not hold what it needs.
        lock_subnets([overlay.pk])
    other.join()
    left = Endpoint.objects.filter(network=overlay)
    told["addresses"] = sorted(left.values_list("ipv4", flat=True))
    told["announced"] = Peer.objects.filter(pk=coming.pk, gone=False).exists()
    print(json.dumps(told))


def make_host(name: str, number: int) -> Host:
    host = enrol_host(name)
    Host.objects.filter(pk=host.pk).update(
        advertise=f"192.0.2.{number}", underlays={f"192.0.2.{number}": 1500}
    )
    return Host.objects.get(pk=host.pk)


def attach(host: Host, network: Network, name: str) -> Endpoint:
    with transaction.atomic():
        locked = advance(host.pk)
        container = Container.objects.create(
            host=locked, name=name, wanted="running", state="running", revision=locked.revision
        )
        return connect(locked, network, container, Wish())


def prepare_report(host: Host, going: Endpoint, coming: Endpoint) -> Report:
    """The host says that one endpoint is gone and the other made."""
    with transaction.atomic():
        locked = advance(host.pk)
        gone = disconnect(locked, going.network, going.container)
    told = (
        Outcome(kind="endpoint", id=gone.pk, revision=gone.revision, state="gone"),
        Outcome(kind="endpoint", id=coming.pk, revision=coming.revision, state="applied"),
    )
    return Report(host=host.name, epoch=host.epoch, acked=locked.revision, outcomes=told)


def await_waiting() -> bool:
    """Whether somebody came to wait for a lock."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            if cursor.fetchone() != (0,):
                return True
        time.sleep(0.02)
    return False


main()
