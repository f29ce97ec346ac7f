"""The record of a large fleet, made in bulk, and the server's steps on it, each with what it costs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container, new_id
from apps.delivery import sender, tasks
from apps.delivery.changes import Change, carry_out, carry_out_on_all
from apps.hosts.models import Host
from apps.hosts.services import new_epoch
from apps.ipam.plan import SubnetRequest
from apps.networks.models import Membership, Network, Peer
from apps.networks.services import endpoints, overlays
from apps.networks.services.attachments import Wish
from workers.contract.envelope import seal
from workers.contract.reports import Outcome, Report

ASKED = Change(actor=None, action="bench")


def cost(work: Callable[[], object]) -> tuple[float, int]:
    """(milliseconds of processor, queries)."""
    with CaptureQueriesContext(connection) as queries:
        began = time.process_time()
        work()
        took = (time.process_time() - began) * 1000
    return took, len(
        [query for query in queries if query["sql"].startswith(("SELECT", "UPDATE", "INSERT", "DELETE"))]
    )


class Record:
    def __init__(self, size: int, each: int) -> None:
        now = datetime.now(UTC)
        self.hosts = Host.objects.bulk_create(
            Host(
                name=f"h{number}",
                advertise=str(IPv4Address("172.20.0.1") + number),
                epoch=new_epoch(),
                last_seen=now,
                underlays={str(IPv4Address("172.20.0.1") + number): 1500},
            )
            for number in range(size)
        )
        self.keys = {host.name: host.key for host in self.hosts}
        self._sequence = 0
        network, _ = carry_out_on_all(
            ASKED, lambda: (overlays.create_overlay(name="wide", subnets=[SubnetRequest("10.64.0.0/10")]), ())
        )
        assert isinstance(network, Network)
        self.network = network
        Membership.objects.bulk_create(
            Membership(network=network, host=host, applied=True) for host in self.hosts
        )
        self._add_peers(each)
        Network.objects.filter(pk=network.pk).update(feed=1)
        self.guests = Container.objects.bulk_create(
            Container(
                host=self.hosts[0],
                name=f"guest{number}",
                hostname=f"guest{number}",
                wanted="running",
                state="running",
                applied=True,
                incarnation=1,
            )
            for number in range(50)
        )

    def _add_peers(self, each: int) -> None:
        first = IPv4Address("10.100.0.1")
        Peer.objects.bulk_create(
            (
                Peer(
                    endpoint=new_id(),
                    network=self.network,
                    host=host,
                    container=new_id(),
                    tunnel=host.advertise,
                    mac=f"02:42:{(first + number).packed.hex(':')}",
                    ipv4=str(first + number),
                    names=[f"c{number}", f"{number:012x}"],
                    order=number,
                    revision=1,
                )
                for number, host in enumerate(host for host in self.hosts for _ in range(each))
            ),
            batch_size=2000,
        )

    def connect(self, number: int) -> dict[str, float]:
        """One container more on the first host: recorded, made there, and told to all."""
        host, guest = self.hosts[0], self.guests[number]

        def record() -> None:
            work = lambda locked: endpoints.connect(locked, self.network, guest, Wish())  # noqa: E731
            self._endpoint, _ = carry_out(ASKED, host, work, wait=False)

        recorded, queries = cost(record)
        told, more = cost(lambda: tasks.report(self._report(host, made=self._endpoint)))
        return {
            "connect recorded, CPU": recorded,
            "connect recorded, queries": queries,
            "report taken in and told to all, CPU": told,
            "report taken in and told to all, queries": more,
        }

    def _report(self, host: Host, made: object = None) -> dict[str, str]:
        current = Host.objects.get(pk=host.pk)
        self._sequence += 1
        outcomes: tuple[Outcome, ...] = ()
        if isinstance(made, endpoints.Endpoint):
            outcomes = (Outcome(kind="endpoint", id=made.pk, revision=made.revision, state="applied"),)
        report = Report(
            host=host.name,
            epoch=current.epoch,
            sequence=self._sequence,
            acked=current.revision,
            outcomes=outcomes,
        )
        return dict(seal(report, host=host.name, key=host.key, direction="to-server"))  # type: ignore[arg-type]

    def beat(self, count: int) -> dict[str, float]:
        """A report without news, as each host sends it every ten seconds."""
        envelopes = [self._report(host) for host in self.hosts[1 : count + 1]]
        began = time.process_time()
        for envelope in envelopes:
            tasks.report(envelope)
        return {"a beat taken in, CPU": (time.process_time() - began) * 1000 / len(envelopes)}

    def send_whole_list(self, socket: Path) -> dict[str, float]:
        host = self.hosts[-1]
        client = redis.Redis(unix_socket_path=str(socket))
        client.delete(f"host.{host.name}")
        took, _ = cost(lambda: sender.send_peers(host, self.network.pk, since=0))
        size = len(client.lindex(f"host.{host.name}", 0) or b"")
        client.flushall()
        return {
            "whole list for a host that joins, CPU": took,
            "whole list for a host that joins": size / 1000,
        }

    @transaction.atomic
    def forget(self) -> None:
        """Room for the next size."""
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE hosts_host, networks_network, containers_container, ipam_subnet CASCADE")
