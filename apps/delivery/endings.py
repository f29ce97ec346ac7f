"""What follows when a container's process has ended: it is stopped and, if that was asked for, removed."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.containers import services as containers
from apps.containers.models import Container
from apps.containers.restarts import pick_unknown, record_restart
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.sender import send_changes, spread
from apps.delivery.snapshots import tell_touched
from apps.events.door import announce
from apps.hosts.models import Host
from apps.hosts.services import advance
from apps.networks.services import peers
from apps.networks.services.lifecycle import end_container, remove_container
from workers.contract.reports import Exit, Report, Restart

STOPS = ("container.stop", "container.kill")
"""Changes after which a container's process ends."""


def take_ends(host: Host, report: Report, changed: Iterable[Container], at: datetime) -> None:
    """Record the ends of processes. `changed`: containers that the host has changed, which may be stopped by it."""
    seen = report.look.restarts if report.look else ()
    _record_restarts(host, pick_unknown(host, (*report.restarts, *seen)), at)
    for exit_ in report.exits:
        _record_exit(host, exit_, at)
    _remove_ended(host, changed)


def find_untold(heard: datetime) -> dict[UUID, list[Container]]:
    """Containers that have been stopped, but whose end got lost on the way here, by host; of those heard since then."""
    untold: dict[UUID, list[Container]] = {}
    for container in list_untold(heard):
        untold.setdefault(container.host_id, []).append(container)
    return untold


def list_untold(heard: datetime) -> QuerySet[Container]:
    stopped = Container.objects.filter(
        wanted=Container.Wanted.STOPPED,
        state=Container.State.EXITED,
        exit_code=None,
        host__last_seen__gt=heard,
        host__revoked=False,
    )
    return stopped.exclude(command=[], entrypoint=[]).select_related("host")


def _record_restarts(host: Host, restarts: Iterable[Restart], at: datetime) -> None:
    """Record what the host does by itself with processes that ended: no change of what is wanted."""
    for restart in restarts:
        with transaction.atomic():
            container = (
                Container.objects.select_for_update()
                .filter(pk=restart.container, host=host, incarnation=restart.incarnation)
                .first()
            )
            if container is not None and record_restart(container, restart, at):
                known = partial(announce, kind="container", id=container.pk, change="reported")
                transaction.on_commit(known)


def _record_exit(host: Host, exit_: Exit, at: datetime) -> None:
    """A process has ended. One that should be running is stopped now, and the host is told so."""
    with transaction.atomic():
        container = Container.objects.filter(
            pk=exit_.container, host=host, incarnation=exit_.incarnation
        ).first()
        if container is None:
            return
        if container.running:
            _end(host, container, exit_, at)
        elif container.exit_code is None:
            containers.record_exit(container, exit_.code, exit_.message, at)
            _complete(container)
            known = partial(announce, kind="container", id=container.pk, change="reported")
            transaction.on_commit(known)
    _remove_ended(host, [container])


def _end(host: Host, container: Container, exit_: Exit, at: datetime) -> None:
    locked = advance(host.pk)
    end_container(locked, container, code=exit_.code, message=exit_.message, at=at)
    operation = Operation.objects.create(
        actor_name=f"host {host.name}",
        action="container.exit",
        subject="container",
        subject_id=container.pk,
        subject_name=container.name,
        detail={"exit_code": exit_.code, "message": exit_.message},
        touched=tell_touched("container.exit", container),
        host=locked,
        revision=locked.revision,
    )
    peers.refresh([container.pk], spread)
    transaction.on_commit(partial(announce_operations, [operation]))
    transaction.on_commit(partial(send_changes, locked, since=locked.revision - 1))


def _complete(container: Container) -> None:
    """Tell in the history how it ended that somebody had asked for."""
    asked = Operation.objects.filter(subject_id=container.pk, action__in=STOPS, revision__gt=0)
    latest = asked.order_by("-at").first()
    if latest is not None:
        latest.detail = {**latest.detail, "exit_code": container.exit_code}
        latest.save(update_fields=["detail"])


def _remove_ended(host: Host, candidates: Iterable[Container]) -> None:
    """Remove those that have ended and were to be removed then (`--rm`), once it is known how they did."""
    for container in candidates:
        known = container.exit_code is not None or not container.has_process
        if known and container.auto_remove and container.wanted == Container.Wanted.STOPPED:
            _remove(host, container.pk)


def _remove(host: Host, id: str) -> None:
    with transaction.atomic():
        locked = advance(host.pk)
        container = Container.objects.filter(pk=id, wanted=Container.Wanted.STOPPED).first()
        if container is None or container.state != Container.State.EXITED:
            return
        remove_container(locked, container)
        operation = Operation.objects.create(
            actor_name=f"host {host.name}",
            action="container.remove",
            subject="container",
            subject_id=container.pk,
            subject_name=container.name,
            touched=tell_touched("container.remove", container),
            host=locked,
            revision=locked.revision,
        )
        transaction.on_commit(partial(announce_operations, [operation]))
        transaction.on_commit(partial(send_changes, locked, since=locked.revision - 1))
