"""The one place from which messages go to hosts."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from apps.delivery.rows import changes_since
from apps.hosts.models import Host
from netadmin.celery import app
from workers.contract.envelope import seal
from workers.contract.state import Delta

log = logging.getLogger(__name__)


def queue_of(host: Host) -> str:
    return f"host.{host.name}"


def send_changes(host: Host, *, since: int, full: bool = False) -> None:
    """Send what changed after `since`. When the broker is away the resync does it later: nothing is lost."""
    delta = Delta(
        host=host.name,
        epoch=host.epoch,
        base=since,
        revision=host.revision,
        full=full,
        rows=tuple(changes_since(host, since)),
    )
    publish(host, "workers.apply", seal(delta, host=host.name, key=host.key, direction="to-host"))


def publish(host: Host, task: str, envelope: Any, *, expires: float | None = None) -> bool:
    """Put a signed message on the host's queue; False when the broker cannot be reached."""
    try:
        app.send_task(task, args=[envelope], queue=queue_of(host), expires=expires)
    except OperationalError as error:
        log.warning("the broker cannot be reached, host %s is told later: %s", host.name, error)
        return False
    return True
