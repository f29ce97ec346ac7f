"""What Prometheus is told: requests as they were timed, and what record, broker and hosts say at this moment.

A scrape costs the same few queries, and two questions to Redis, whatever the number of hosts, networks and
containers. Names of metrics and labels are documented in docs/watching.md.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import redis
from django.db.models import Count, Min
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.containers.models import Container
from apps.delivery.counted import read_counts
from apps.delivery.models import Operation
from apps.health.hosts import show_counts
from apps.health.requests import REGISTRY
from apps.hosts.models import Host
from apps.ipam.models import Subnet
from apps.ipam.services import utilisations
from apps.networks.models import Network
from netadmin.pulse import reach_redis, read_pulse
from workers import __version__
from workers.contract.broker import SERVER_QUEUE, queue_of

MOST_SUBNETS = 500
"""Of which the addresses left are told: those with the fewest. All others have at least as many."""


def scrape() -> bytes:
    """In Prometheus's text format."""
    return generate_latest(REGISTRY)


class Present(Collector):
    """How things are, asked anew at each scrape."""

    def describe(self) -> Iterable[Metric]:
        # At registration nothing is asked: the record may not be there yet.
        return []

    def collect(self) -> Iterator[Metric]:
        began = time.perf_counter()
        hosts = list(Host.objects.all())
        yield InfoMetricFamily("netadmin", "The version of this server.", {"version": __version__})
        yield from _show_hosts(hosts)
        yield _count("netadmin_containers", "Containers by state.", "state", _container_states())
        networks = Network.objects.order_by().values_list("driver").annotate(Count("pk"))
        yield _count("netadmin_networks", "Networks by driver.", "driver", dict(networks))
        yield _show_addresses()
        yield from _show_broker(hosts)
        took = time.perf_counter() - began
        yield _gauge("netadmin_scrape_seconds", "What the record and the broker took for this scrape.", took)


def _show_hosts(hosts: list[Host]) -> Iterator[Metric]:
    now = datetime.now(UTC)
    up = _by_host("up", "1 while the host is heard.")
    silence = _by_host("silence_seconds", "Since the host's last report.")
    lag = _by_host("lag_revisions", "Changes that the host has not taken in yet.")
    waiting = _by_host("changes_waiting", "Accepted changes of which the host has not told the outcome.")
    oldest = _by_host("oldest_change_seconds", "Age of the oldest of them; 0: there is none.")
    problems = _by_host("problems", "Problems that the host told with its last report.")
    pending = {
        host: (number, at)
        for host, number, at in Operation.objects.filter(
            outcome=Operation.Outcome.PENDING, host__isnull=False
        )
        .order_by()
        .values_list("host")
        .annotate(Count("pk"), Min("at"))
    }
    for host in hosts:
        labels = [host.name]
        number, at = pending.get(host.pk, (0, now))
        up.add_metric(labels, float(host.state == "online"))
        if host.last_seen is not None:
            silence.add_metric(labels, (now - host.last_seen).total_seconds())
        lag.add_metric(labels, host.lag)
        waiting.add_metric(labels, number)
        oldest.add_metric(labels, max(0.0, (now - at).total_seconds()))
        problems.add_metric(labels, len(host.all_problems))
    yield from (up, silence, lag, waiting, oldest, problems)


def _container_states() -> dict[str, int]:
    return dict(Container.objects.order_by().values_list("state").annotate(Count("pk")))


def _show_addresses() -> Metric:
    left = GaugeMetricFamily(
        "netadmin_subnet_addresses_left",
        f"Free addresses for automatic use, of the {MOST_SUBNETS} subnets with the fewest.",
        labels=["network", "network_id", "subnet"],
    )
    subnets = list(Subnet.objects.order_by("pk"))
    free = {key: used.free_dynamic for key, used in utilisations(subnets).items()}
    fewest = sorted(subnets, key=lambda subnet: (free[subnet.pk], subnet.pk))[:MOST_SUBNETS]
    names = dict(
        Network.objects.filter(pk__in={subnet.holder for subnet in fewest}).values_list("pk", "name")
    )
    for subnet in fewest:
        labels = [names.get(subnet.holder, ""), subnet.holder[:12], subnet.cidr]
        left.add_metric(labels, free[subnet.pk])
    return left


def _show_broker(hosts: list[Host]) -> Iterator[Metric]:
    """Nothing but that it is away, when it is."""
    try:
        told = _ask_broker([host.name for host in hosts])
    except redis.RedisError:
        told = None
    yield _gauge("netadmin_broker_up", "1 while the broker can be reached.", float(told is not None))
    if told is None:
        return
    pulse, lengths = told
    if pulse is not None:
        yield _gauge("netadmin_server_worker_silence_seconds", "Since a server worker began a resync.", pulse)
    yield _count("netadmin_queue_messages", "Messages that nobody has taken yet.", "queue", lengths)
    try:
        counts = read_counts([host.name for host in hosts])
    except redis.RedisError:
        return
    yield from show_counts(counts)


def _ask_broker(hosts: list[str]) -> tuple[float | None, dict[str, int]]:
    """The pulse of the server worker, and the length of each queue."""
    client = reach_redis()
    queues = [SERVER_QUEUE, *(queue_of(host) for host in hosts)]
    with client.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.llen(queue)
        lengths = dict(zip(queues, pipe.execute(), strict=True))
    return read_pulse(client), lengths


def _by_host(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"netadmin_host_{name}", text, labels=["host"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _count(name: str, text: str, label: str, numbers: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, number in sorted(numbers.items()):
        family.add_metric([key], number)
    return family


REGISTRY.register(Present())
