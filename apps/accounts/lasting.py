"""Nothing that stays open outlives the right with which it was opened: a terminal may for days, a right may not.

Sockets of browsers and of the command line end here (`Lasting`), streams of Docker's clients in
`apps.docker_api.application`. All that is open in a process is looked at together, so that a look costs by how many
people have something open, not by how much they have.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import Error

from apps.accounts.doors import SIGN_IN
from apps.accounts.local import is_local
from apps.accounts.models import Grant
from apps.accounts.roles import Role, account, role_of
from apps.accounts.tokens import recognise
from apps.accounts.websockets import Authenticated, Scope
from apps.common.errors import Unauthorised

log = logging.getLogger(__name__)
Person = AbstractBaseUser | AnonymousUser | None
EVERY = 30.0
"""Seconds between two looks. One or two small queries for each token, session or certificate, as many for each
account, and four for each container in which a member of a team has a command or terminal."""
ENDED = 4401
"""The code of the close: of those that are ours to give (RFC 6455, 7.4.2), after HTTP's 401."""


@dataclass(frozen=True)
class Standing:
    """What somebody may do, as far as it does not depend on to what."""

    account: int
    role: Role
    grants: frozenset[tuple[int, bool]]
    """Of their teams, as far as they matter to the role: (key, whether for commands too)."""

    def covers(self, before: "Standing") -> bool:
        """Whether nothing of what was there has gone."""
        return (self.account, self.role) == (before.account, before.role) and self.grants >= before.grants


def find_standing(user: Person) -> Standing | None:
    """None of nobody."""
    role = role_of(user)
    if role is None:
        return None
    known = account(user)
    if role is not Role.READER:
        return Standing(known.pk, role, frozenset())
    grants = Grant.objects.filter(team__user=known).values_list("pk", "commands")
    return Standing(known.pk, role, frozenset(grants))


class Right:
    """With which `user` opens something. `recognise` says who `shown` shows now: what was shown when it was opened."""

    def __init__(self, user: Person, shown: Hashable, recognise: Callable[[], Awaitable[Person]]) -> None:
        self.user, self.shown, self.recognise = user, shown, recognise
        self.needed: list[Callable[[Person], bool]] = []

    def need(self, still: Callable[[Person], bool]) -> None:
        """The right to one thing is needed besides. Equal ones of equal people are asked once in a look."""
        self.needed.append(still)

    async def await_end(self) -> None:
        """Returns when `user` may no longer do all that they might when this began."""
        begun = await database_sync_to_async(find_standing)(self.user)
        watch = _watches.setdefault(asyncio.get_running_loop(), Watch())
        # Who is nobody has nothing to lose.
        await (watch.await_end(self, begun) if begun else asyncio.Future[None]())
        log.info("what account %s has open is closed: its right has ended", begun and begun.account)


class Watch:
    """Looks again at the right to all that is open in this process."""

    def __init__(self) -> None:
        self._open: dict[Right, tuple[Standing, asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def await_end(self, right: Right, begun: Standing) -> None:
        over: asyncio.Future[None] = asyncio.Future()
        self._open[right] = begun, over
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_again_and_again())
        try:
            await over
        finally:
            del self._open[right]
            if not self._open and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            begun = {right: standing for right, (standing, _) in self._open.items()}
            people = {
                shown: await _recognise(right)
                for shown, right in {each.shown: each for each in begun}.items()
            }
            try:
                ended = await database_sync_to_async(find_ended)(begun, people)
            except Error as error:
                # Nobody can take a right away while the record is away.
                log.debug("no right can be looked at: %s", error)
                continue
            except Exception:
                log.exception("no right can be looked at; all that is open is closed")
                ended = list(begun)
            for right in ended:
                _, over = self._open.get(right, (None, None))
                if over is not None and not over.done():
                    over.set_result(None)


_watches: "WeakKeyDictionary[asyncio.AbstractEventLoop, Watch]" = WeakKeyDictionary()


class Unknown(Enum):
    """The record is away: it cannot be said who somebody is."""

    UNKNOWN = auto()


async def _recognise(right: Right) -> Person | Unknown:
    try:
        return await right.recognise()
    except Error as error:
        log.debug("who has something open cannot be recognised: %s", error)
        return Unknown.UNKNOWN
    except Exception:
        log.exception("who has something open cannot be recognised; it is closed")
        return None


def find_ended(
    begun: Mapping[Right, Standing], people: Mapping[Hashable, Person | Unknown]
) -> Collection[Right]:
    """Those of `begun` that do not hold any more. `people`: who has shown what, as it is now."""
    standings: dict[Any, Standing | None] = {}
    held: dict[Any, bool] = {}

    def holds(right: Right, before: Standing) -> bool:
        person = people[right.shown]
        if person is Unknown.UNKNOWN:
            return True
        key = person and person.pk
        if key not in standings:
            standings[key] = find_standing(person)
        now = standings[key]
        if now is None or not now.covers(before):
            return False
        for still in right.needed if now.role is Role.READER else ():
            if (key, still) not in held:
                held[key, still] = still(person)
            if not held[key, still]:
                return False
        return True

    return [right for right, standing in begun.items() if not holds(right, standing)]


async def _recognise_again(scope: Scope) -> Person:
    """By the headers with which the socket was opened, as if it were opened now."""
    found: list[Person] = []

    async def note(scope: Scope, receive: Any, send: Any) -> None:
        found.append(scope["user"])

    bare = {key: value for key, value in scope.items() if key not in ("user", "session")}
    await Authenticated(note, recognise)(bare, None, None)
    return found[0]


def _shown(scope: Scope) -> Hashable:
    """What tells who opened the socket."""
    signs = [each for each in scope["headers"] if each[0].lower() in (b"authorization", b"cookie")]
    return (is_local(scope), *sorted(map(tuple, signs)))


class Lasting:
    """`inner` is told that its client has gone, and the client that it is over, when the right of a socket has ended.

    To stand within `Authenticated`, which says who opened it; `inner` finds the right in its scope. Raises Unauthorised
    for nobody, who gets nothing of what the socket needs.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["user"] is None or not scope["user"].is_authenticated:
            raise Unauthorised("not_signed_in", SIGN_IN)
        right = Right(scope["user"], _shown(scope), partial(_recognise_again, scope))
        over = asyncio.ensure_future(right.await_end())
        closed = False

        async def receive_until_end() -> Any:
            nonlocal closed
            heard = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((heard, over), return_when=asyncio.FIRST_COMPLETED)
                if heard.done():
                    return heard.result()
            finally:
                heard.cancel()
            closed = True
            await send({"type": "websocket.close", "code": ENDED})
            return {"type": "websocket.disconnect", "code": ENDED}

        async def send_while_open(message: Any) -> None:
            if not closed:
                await send(message)

        try:
            await self._inner({**scope, "right": right}, receive_until_end, send_while_open)
        finally:
            over.cancel()
