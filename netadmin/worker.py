"""`python -m netadmin.worker`: the server's own Celery worker, with the beat as a thread of it.

A thread, because Celery's embedded beat is a second process that outlives a worker that was killed; and it keeps its
schedule in memory, since nothing in it is rarer than some seconds.
"""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from celery.beat import Scheduler, Service
from celery.signals import setup_logging, task_prerun, worker_ready
from django.conf import settings

from netadmin.celery import app
from netadmin.messages import keep_own_tasks
from netadmin.pulse import give_pulse, reach_redis
from workers.checkpoints import work_off_for_ever
from workers.contract.broker import SERVER_QUEUE
from workers.garbage import begin_to_load, spare_the_loaded
from workers.hearing import Hearing
from workers.life import Life
from workers.tracing import name_process

DEAF_AFTER = 120.0
"""Seconds in which none of the messages that wait is taken: twice what one may take while the database is away."""
STILL = 60.0
"""Seconds without a turn of the beat after which this process is as good as gone: nothing is sent again any more."""
life = Life()


class Turning(Scheduler):
    """Celery's, which notes when it was at work."""

    turned: float | None = None

    def tick(self, *arguments: Any, **options: Any) -> Any:
        Turning.turned = time.monotonic()
        return super().tick(*arguments, **options)


def _count_waiting() -> int:
    """Also a sign of life, as long as Python runs at all and the beat, once it has begun, does too."""
    if Turning.turned is None or time.monotonic() < Turning.turned + STILL:
        life.show()
    return int(reach_redis().llen(SERVER_QUEUE))


hearing = Hearing(_count_waiting, DEAF_AFTER)


def _beat() -> None:
    try:
        Service(app, scheduler_cls=Turning).start()
    finally:
        # Without the beat nothing is resynchronised: end, and be started anew.
        os.kill(os.getpid(), signal.SIGTERM)


def _begin(**_: Any) -> None:
    spare_the_loaded()
    give_pulse()
    threading.Thread(target=_beat, name="beat", daemon=True).start()
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        path = Path(database["NAME"])
        threading.Thread(target=work_off_for_ever, args=(path,), name="checkpoints", daemon=True).start()


def _leave_logging(**_: Any) -> None:
    """The settings have said how; Celery would begin anew with a format of its own."""


def main() -> None:
    begin_to_load()
    name_process("server worker")
    setup_logging.connect(_leave_logging)
    worker_ready.connect(_begin)
    task_prerun.connect(hearing.note)
    # Before there is a broker: it is also what shows signs of life.
    hearing.begin()
    keep_own_tasks(app)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=solo",
            "--queues=server",
            "--hostname=server@%h",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    main()
