"""The service as a whole: which ports it was told to hold, and which it does."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from workers.contract.publishing import Binding
from workers.local.memory import Key, Memory
from workers.publishing.datagrams import DatagramDoor
from workers.publishing.doors import Refused
from workers.publishing.streams import StreamDoor

log = logging.getLogger(__name__)
Failures = dict[Key, str]


def key_of(binding: Binding) -> Key:
    """(protocol, `address port`): what can be held once."""
    return binding.protocol, f"{binding.address} {binding.host_port}"


class Service:
    """Applies changes one after the other; each is effective when its call returns."""

    def __init__(self, memory: Memory[Binding]) -> None:
        self._memory = memory
        self._doors: dict[Key, StreamDoor | DatagramDoor] = {}
        self._held: dict[Key, Binding] = {}
        self._turn = asyncio.Lock()

    async def recall(self) -> None:
        """Hold what is remembered."""
        async with self._turn:
            await self._apply(self._memory.load(), ())

    async def update(self, bindings: Sequence[Binding], forgotten: Sequence[Key]) -> Failures:
        async with self._turn:
            failures = self._remember(partial(self._memory.store, bindings, forgotten))
            return failures | await self._apply(bindings, forgotten)

    async def sync(self, bindings: Sequence[Binding]) -> Failures:
        """Hold these and no others; what stays is not interrupted."""
        async with self._turn:
            failures = self._remember(partial(self._memory.replace, bindings))
            forgotten = self._held.keys() - {key_of(binding) for binding in bindings}
            return failures | await self._apply(bindings, forgotten)

    async def close(self) -> None:
        async with self._turn:
            for door in self._doors.values():
                door.close()
            self._memory.close()

    def _remember(self, write: Callable[[], None]) -> Failures:
        try:
            write()
        except sqlite3.Error as error:
            # The ports are held; what is at stake is the next restart.
            sentence = f"The ports are open but could not be written to disk ({error}); make room for them."
            log.error(sentence)
            return {("memory", ""): sentence}
        return {}

    async def _apply(self, bindings: Iterable[Binding], forgotten: Iterable[Key]) -> Failures:
        for key in list(forgotten):
            if (door := self._doors.pop(key, None)) is not None:
                door.close()
                del self._held[key]
        failures: Failures = {}
        for binding in bindings:
            try:
                await self._hold(binding)
            except Refused as refusal:
                log.warning("%s", refusal)
                failures[key_of(binding)] = str(refusal)
        return failures

    async def _hold(self, binding: Binding) -> None:
        key = key_of(binding)
        door = self._doors.get(key)
        if door is None:
            door = StreamDoor() if binding.protocol == "tcp" else DatagramDoor()
            await door.open(binding)
            self._doors[key] = door
        elif self._held[key] != binding:
            door.aim(binding)
        self._held[key] = binding
