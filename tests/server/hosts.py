"""Hosts as the server sees them: enrolled, and answering what they are asked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from msgspec.structs import replace

from apps.delivery.answers import give_answers
from apps.delivery.management.commands.prepare import ensure_networks
from apps.delivery.models import Operation
from apps.delivery.receiver import receive
from apps.delivery.rows import changes_since
from apps.hosts.models import Host
from apps.hosts.services import enrol
from apps.ipam.choice import DEFAULT_POOLS
from apps.ipam.models import Pool
from workers.contract.envelope import seal, unseal
from workers.contract.reports import Outcome, Report
from workers.contract.state import Delta, Row


def enrol_host(name: str) -> Host:
    if not Pool.objects.exists():  # A test with transactions of its own has emptied the database.
        Pool.objects.bulk_create(
            Pool(name=name, space=space, base=base, size=size) for name, space, base, size in DEFAULT_POOLS
        )
    host, _ = enrol(name)
    ensure_networks(host)
    AnsweringHosts().catch_up(host)
    return host


class AnsweringHosts:
    """What the hosts' workers would report, said at the moment when somebody begins to wait."""

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        """Sentence by kind: what becomes of new rows of that kind."""
        self.code = ""
        """Of these failures."""
        self.silent = False

    def answer(self, questions: Sequence[str], timeout: float) -> None:
        """In place of `answers.await_either`: nothing is said, and the record has changed."""
        told = [question for question in questions if ":" not in question]
        for operation in Operation.objects.filter(pk__in=told).select_related("host"):
            if not self.silent and operation.host is not None:
                self.catch_up(operation.host)

    def catch_up(self, host: Host) -> None:
        """Report on every row that the host has not acknowledged."""
        with transaction.atomic():
            current = Host.objects.get(pk=host.pk)
            rows = changes_since(current, current.acked_revision)
            report = Report(
                host=current.name,
                epoch=current.epoch,
                acked=current.revision,
                outcomes=tuple(self._outcome(row) for row in rows),
            )
            receive(current, report)

    def _outcome(self, row: Row) -> Outcome:
        if row.spec is None:
            return Outcome(kind=row.kind, id=row.id, revision=row.revision, state="gone")
        message = self.failing.get(row.kind)
        if message is not None:
            told = Outcome(kind=row.kind, id=row.id, revision=row.revision, state="failed", message=message)
            return replace(told, code=self.code)
        return Outcome(kind=row.kind, id=row.id, revision=row.revision, state="applied")


@dataclass
class PlayedWorker:
    """In place of `sender.publish`: answers each message at once, as a host's worker does, with a sealed report to who
    waits."""

    messages: int = 0
    bytes: int = 0

    def publish(self, host: Host, task: str, envelope: Any, **_: Any) -> bool:
        assert task == "workers.apply"
        self.messages += 1
        self.bytes += len(json.dumps(envelope))
        delta = unseal(envelope, Delta, host=host.name, key=host.key, direction="to-host")
        outcomes = tuple(
            Outcome(
                kind=row.kind,
                id=row.id,
                revision=row.revision,
                state="gone" if row.spec is None else "applied",
            )
            for row in delta.rows
        )
        report = Report(
            host=host.name,
            epoch=host.epoch,
            sequence=host.sequence + 1,
            acked=delta.revision,
            outcomes=outcomes,
        )
        assert delta.awaited, "somebody waits, and the host must know"
        answer = json.dumps(seal(report, host=host.name, key=host.key, direction="to-server"))
        give_answers({f"{host.name}:{delta.awaited}": answer})
        return True
