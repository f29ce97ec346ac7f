"""What a host does with a process that has ended by itself, and what it tells of that."""

import re
from datetime import datetime

from apps.common.errors import Invalid
from apps.containers.models import Container
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


def record_restart(container: Container, restart: Restart, at: datetime) -> bool:
    """Its host begins it again, or has; False where that is known, or it shall not run any more."""
    state = Container.State.RUNNING if restart.running else Container.State.RESTARTING
    if not container.running or (container.restart_count, container.state) == (restart.count, state):
        return False
    container.restart_count, container.state = restart.count, state
    container.exit_code, container.exit_message = restart.code, restart.message[:500]
    if restart.running:
        container.started = at
    else:
        container.finished = at
    container.save(
        update_fields=["restart_count", "state", "exit_code", "exit_message", "started", "finished"]
    )
    return True
