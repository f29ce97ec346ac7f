"""What hosts have counted, as metrics. A host says what it likes: words and numbers of other shapes are not shown."""

import re
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from workers.contract.reports import Counts, Timing

T = TypeVar("T")
WORD = re.compile(r"[a-z]{1,16}\Z")
MOST_WORDS, MOST_BUCKETS = 20, 20
"""Of one host: whoever owns it must not fill the memory of who watches."""


def show_counts(counts: Mapping[str, Counts]) -> Iterator[Metric]:
    """`counts`: by the host's name."""
    waits = _histogram(
        "host_inbox_wait", "Messages and events of a host, from arrival to the begin of their turn."
    )
    changes = _histogram("host_change", "Making changed rows true, those that came together at once.")
    looks = _histogram("host_look", "Full looks at a host.")
    names = _histogram(
        "dns_answer", "Questions to a name service, from their arrival to the answer.", "outcome"
    )
    done = _counter("host_operations", "Operations on objects of a host, by kind of object.", "kind")
    failed = _counter("host_operations_failed", "Those of them that failed.", "kind")
    drift = _counter("host_drift_mended", "What something else had changed on a host, and was put right.")
    views = GaugeMetricFamily(
        "netadmin_dns_sandboxes", "Sandboxes that a name service should answer in.", labels=["host", "state"]
    )
    for host, told in counts.items():
        _add(waits, [host], told.waits)
        _add(changes, [host], told.changes)
        _add(looks, [host], told.looks)
        drift.add_metric([host], told.drift)
        for outcome, timing in _words(told.names):
            _add(names, [host, outcome], timing)
        for family, numbers in ((done, told.operations), (failed, told.failures), (views, told.views)):
            for word, number in _words(numbers):
                family.add_metric([host, word], number)
    yield from (waits, changes, looks, names, done, failed, drift, views)


def _words(told: Mapping[str, T]) -> list[tuple[str, T]]:
    return [(word, value) for word, value in sorted(told.items()) if WORD.match(word)][:MOST_WORDS]


def _add(family: HistogramMetricFamily, labels: list[str], timing: Timing) -> None:
    bounds = timing.bounds[:MOST_BUCKETS]
    if len(timing.counts) != len(timing.bounds) + 1 or list(bounds) != sorted(set(bounds)):
        return
    sums = list(accumulate(timing.counts))
    ends = [*(repr(bound) for bound in bounds), "+Inf"]
    family.add_metric(labels, [*zip(ends, [*sums[: len(bounds)], sums[-1]], strict=True)], timing.total)


def _histogram(name: str, text: str, *labels: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"netadmin_{name}_seconds", text, labels=["host", *labels])


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"netadmin_{name}", text, labels=["host", *labels])
