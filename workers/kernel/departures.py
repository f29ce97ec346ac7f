"""Devices on their way out: already without traffic, and deleted by a thread of its own.

Deleting a veth makes who asks for it wait 20 ms for the kernel's RCU, and a bridge 40, while other requests go on
(net/core/dev.c: netdev_run_todo waits without the lock). So a device is only put down and into a group of its own; the
group is deleted at once by another thread, with all that came into it meanwhile. What a killed worker leaves in the
group is found there by the next look.
"""

import logging
import os
import threading

from workers.kernel.markers import LEAVING_GROUP
from workers.kernel.netlink import Channel, drop_link

log = logging.getLogger(__name__)


class Departures:
    """Made in the host's namespace. `begin` when something has been put into the group."""

    def __init__(self) -> None:
        self._channel = Channel()
        self._turn = threading.Condition()
        self._begun = self._done = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="departures", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Delete what is in the group now; returns at once."""
        with self._turn:
            self._begun += 1
            self._turn.notify_all()

    def wait(self) -> None:
        """Return when everything that was begun before is gone."""
        with self._turn:
            begun = self._begun
            self._turn.wait_for(lambda: self._done >= begun or self._closed)

    def close(self) -> None:
        """Returns when the last group is gone."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._thread.join()
        self._channel.close()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._begun > self._done or self._closed)
                if self._begun == self._done:
                    return
                begun = self._begun
            try:
                self._channel.carry_out(drop_link(group=LEAVING_GROUP))
            except OSError as error:
                # They carry no traffic; the next look finds them in the group and asks again.
                log.warning("devices that are leaving cannot be deleted: %s", os.strerror(error.errno or 0))
            with self._turn:
                self._done = begun
                self._turn.notify_all()
