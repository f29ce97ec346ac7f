"""Who answers to a name while its holders come and go: asked without pause, with the time of each question."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.rdatatype

from tests.dns.host import udp_to

PAUSE = 0.0005
"""Seconds between an answer and the next question."""


@dataclass(frozen=True)
class Sighting:
    asked: float
    """Monotonic seconds."""
    answered: float
    addresses: frozenset[str]


class Watch:
    """Asks for the IPv4 addresses of `name` in a namespace under /run/netns until it is stopped."""

    def __init__(self, namespace: str, name: str) -> None:
        self._packet = dns.message.make_query(name, "A", id=0).to_wire()[2:]
        self._door = udp_to(namespace, seconds=2)
        self._seen: list[tuple[float, float, bytes]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        return len(self._seen)

    def addresses(self) -> frozenset[str]:
        """Of the last answer; none: there was no answer yet."""
        return _addresses(self._seen[-1][2]) if self._seen else frozenset()

    def stop(self) -> list[Sighting]:
        self._stopped.set()
        self._thread.join()
        self._door.close()
        read: dict[bytes, frozenset[str]] = {}
        return [
            Sighting(asked, answered, read.setdefault(reply, _addresses(reply)))
            for asked, answered, reply in self._seen
        ]

    def _ask(self) -> None:
        number = 0
        while not self._stopped.is_set():
            number = (number + 1) & 0xFFFF
            mark = number.to_bytes(2, "big")
            asked = time.monotonic()
            try:
                self._door.send(mark + self._packet)
                # What comes late is of an earlier question.
                while (reply := self._door.recv(4096))[:2] != mark:
                    pass
            except (TimeoutError, ConnectionRefusedError):
                continue
            self._seen.append((asked, time.monotonic(), b"\0\0" + reply[2:]))
            time.sleep(PAUSE)


def taken_over(sightings: Sequence[Sighting], dead: str, began: float) -> float:
    """Seconds from `began` to the first answer after the last one with the dead holder."""
    last = max((s.answered for s in sightings if dead in s.addresses), default=began)
    after = [s.answered for s in sightings if s.answered > max(last, began)]
    return after[0] - began


def find_process_in(namespace: str, word: str) -> int:
    """The process in a namespace under /run/netns with that word in its command line. LookupError: there is none."""
    wanted = os.stat(f"/run/netns/{namespace}").st_ino
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = os.stat(folder / "ns/net").st_ino == wanted
            if inside and word.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:
            continue
    raise LookupError(word)


def _addresses(reply: bytes) -> frozenset[str]:
    message = dns.message.from_wire(reply)
    return frozenset(
        record.address for rrset in message.answer if rrset.rdtype == dns.rdatatype.A for record in rrset
    )
