"""The service as a whole: what it was told, what it remembers, and where it listens."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from workers.contract.names import Entry, Holder, View
from workers.dns.lookup import Record, Zones
from workers.dns.memory import Key, Memory, key_of
from workers.dns.sandbox import SandboxError, identify, last_change, open_doors
from workers.dns.server import Listener, Resolver

TEND_EVERY = 2.0
"""Seconds between looks at namespaces that were missing, went away or were made anew."""
WHOLE_EVERY = 15
"""Looks of which one is at every namespace, whatever their folder says."""

log = logging.getLogger(__name__)

Failures = dict[Key, str]


class Service:
    """Applies changes one after the other; each is effective when its call returns."""

    def __init__(self, memory: Memory, resolver: Resolver) -> None:
        self.zones = Zones()
        self.resolver = resolver
        self.failed: dict[str, str] = {}
        """Views that do not answer, by container, and why."""
        self._memory = memory
        self._listeners: dict[str, Listener] = {}
        self._turn = asyncio.Lock()

    async def recall(self) -> None:
        """Answer from memory."""
        async with self._turn:
            await self._apply(self._memory.load(), [])

    async def update(self, entries: Sequence[Entry], forgotten: Sequence[Key]) -> Failures:
        async with self._turn:
            failures = self._remember(partial(self._memory.store, entries, forgotten))
            failures |= await self._apply(entries, forgotten)
            return failures

    async def sync(self, entries: Sequence[Entry]) -> Failures:
        """Let there be these entries and no others; what stays is not interrupted."""
        async with self._turn:
            known: set[Key] = {("holder", endpoint) for endpoint in self.zones.records}
            known |= {("view", container) for container in self.zones.scopes}
            forgotten = sorted(known - {key_of(entry) for entry in entries})
            failures = self._remember(partial(self._memory.replace, entries))
            failures |= await self._apply(entries, forgotten)
            return failures

    async def tend(self) -> None:
        """Follow the namespaces: close what has lost its name, open what has come.

        One that comes or goes changes their folder. Now and then each is looked at all the same: a name may be given to
        another namespace in place, and what changed within a tick of the clock bears the same time.
        """
        rounds, seen = 0, None
        while True:
            await asyncio.sleep(TEND_EVERY)
            rounds, before, seen = rounds + 1, seen, last_change()
            async with self._turn:
                whole = seen != before or rounds % WHOLE_EVERY == 0
                await self._open_all(self.zones.scopes if whole else self.failed)

    async def close(self) -> None:
        async with self._turn:
            await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
            self._listeners.clear()
            self._memory.close()

    def count(self) -> dict[str, Any]:
        timings = self.resolver.timings
        return {
            "timings": {each.name: getattr(timings, each.name).tell() for each in fields(timings)},
            **asdict(self.resolver.counters),
            "waiting": self.resolver.forwarded.taken,
            "views": len(self.zones.scopes),
            "failed_views": len(self.failed),
            "holders": len(self.zones.records),
        }

    def _remember(self, write: Callable[[], None]) -> Failures:
        try:
            write()
        except sqlite3.Error as error:
            # The names still answer; what is at stake is the next restart.
            sentence = f"The names answer but could not be written to disk ({error}); make room for them."
            log.error(sentence)
            return {("memory", ""): sentence}
        return {}

    async def _apply(self, entries: Sequence[Entry], forgotten: Iterable[Key]) -> Failures:
        failures: Failures = {}
        for kind, identity in forgotten:
            if kind == "holder":
                self.zones.drop_holder(identity)
            else:
                self.zones.drop_view(identity)
                self.failed.pop(identity, None)
                await self._shut(identity)
        views = []
        for entry in entries:
            if isinstance(entry, Holder):
                failures |= self._put_holder(entry)
            else:
                self._put_view(entry)
                views.append(entry.container)
        await self._open_all({*views, *self.failed})
        silent = [container for container in views if container in self.failed]
        return failures | {("view", container): self.failed[container] for container in silent}

    def _put_holder(self, holder: Holder) -> Failures:
        known = self.zones.records.get(holder.endpoint)
        if known and known.holder == holder:
            return {}
        try:
            self.zones.put_holder(Record(holder))
        except ValueError as error:
            # Its former names and addresses are not true any more either.
            self.zones.drop_holder(holder.endpoint)
            return {("holder", holder.endpoint): str(error)}
        return {}

    def _put_view(self, view: View) -> None:
        known = self.zones.scopes.get(view.container)
        if known and known.view == view:
            return
        scope = self.zones.put_view(view)
        if listener := self._listeners.get(view.container):
            listener.show(scope)

    async def _open_all(self, containers: Iterable[str]) -> None:
        for container in list(containers):
            await self._open(container)

    async def _open(self, container: str) -> None:
        """Listen where the view's namespace is now, which may be another one than before."""
        scope = self.zones.scopes[container]
        try:
            listener = self._listeners.get(container)
            if listener and listener.identity == identify(scope.view.sandbox):
                return
            await self._shut(container)
            self._listeners[container] = Listener(scope, open_doors(scope.view.sandbox), self.resolver)
            self.failed.pop(container, None)
        except SandboxError as error:
            if self.failed.get(container) != str(error):
                log.warning("%s", error)
            self.failed[container] = str(error)

    async def _shut(self, container: str) -> None:
        if listener := self._listeners.pop(container, None):
            await listener.close()
