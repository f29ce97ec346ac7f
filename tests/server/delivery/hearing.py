"""A host's Celery with nothing behind it: `python -m tests.server.delivery.hearing REDIS_URL` prints what it hears.

All that it waits for a fifth of the time, so that its test need not wait for so long.
"""

import os
import sys

from workers.__main__ import list_arguments
from workers.contract.joining import Configuration
from workers.tasks import make_celery
from workers.transport import OPTIONS


def main() -> None:
    for name in ("socket_timeout", "socket_connect_timeout", "health_check_interval"):
        OPTIONS[name] = float(str(OPTIONS[name])) / 5
    app = make_celery(Configuration(host="node1", key="0" * 64, epoch="e", redis_url=sys.argv[1]))

    @app.task(name="workers.apply")
    def apply(number: int) -> None:
        # What is printed goes to the log, as Celery has it.
        os.write(1, b"%d\n" % number)

    app.worker_main(list_arguments("node1"))


if __name__ == "__main__":
    main()
