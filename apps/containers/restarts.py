"""What a host does with a process that has ended by itself, and what it tells of that."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from apps.common.errors import Invalid
from apps.containers.models import Container
from apps.hosts.models import Host
from workers.contract.reports import Restart

POLICY = re.compile(r"(no|always|unless-stopped|on-failure)|(on-failure):([0-9]{1,6})")


def read_policy(text: str) -> tuple[str, int]:
    """`no`, `always`, `unless-stopped` or `on-failure[:TIMES]` as name and times, 0 for without end."""
    found = POLICY.fullmatch(text)
    if not found:
        raise Invalid(
            "bad_restart",
            f"{text!r} cannot be a restart policy: write no, on-failure, on-failure:TIMES, always or unless-stopped.",
            "restart",
        )
    return found[1] or found[2], int(found[3] or 0)


def write_policy(name: str, limit: int) -> str:
    return f"{name}:{limit}" if limit else name


def refuse_conflict(name: str, *, auto_remove: bool) -> None:
    if auto_remove and name != Container.Restart.NO:
        raise Invalid(
            "bad_restart",
            "A container that is removed when its process ends cannot be started again: give one of both.",
            "restart",
        )


def pick_unknown(host: Host, told: Iterable[Restart]) -> list[Restart]:
    """Those of which the record says something else, of each container the last. One query, however many are told."""
    last: dict[str, Restart] = {}
    for restart in told:
        known = last.get(restart.container)
        if known is None or _order(restart) > _order(known):
            last[restart.container] = restart
    if not last:
        return []
    containers = Container.objects.filter(host=host, pk__in=last).only(*_COMPARED)
    return [last[container.pk] for container in containers if _is_news(container, last[container.pk])]


_COMPARED = ("incarnation", "wanted", "restart_count", "state")


def _order(restart: Restart) -> tuple[int, int, bool]:
    return restart.incarnation, restart.count, restart.running


def _is_news(container: Container, restart: Restart) -> bool:
    if not container.running or container.incarnation != restart.incarnation:
        return False
    return (container.restart_count, container.state) != (restart.count, _state(restart))


def _state(restart: Restart) -> Container.State:
    return Container.State.RUNNING if restart.running else Container.State.RESTARTING


def record_restart(container: Container, restart: Restart, now: datetime) -> bool:
    """Its host begins it again, or has; False where that is known, or it shall not run any more."""
    if not _is_news(container, restart):
        return False
    container.restart_count, container.state = restart.count, _state(restart)
    container.exit_code, container.exit_message = restart.code, restart.message[:500]
    # By the host's clock, if that is not ahead of ours.
    at = min(now, datetime.fromtimestamp(restart.at, UTC)) if restart.at else now
    if restart.running:
        container.started = at
    else:
        container.finished = at
    container.save(
        update_fields=["restart_count", "state", "exit_code", "exit_message", "started", "finished"]
    )
    return True
