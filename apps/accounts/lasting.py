"""A socket does not outlive the right with which it was opened: a terminal stays open for days, a right may not."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import DatabaseError

from apps.accounts.models import Grant
from apps.accounts.roles import Role, account, role_of
from apps.accounts.websockets import Authenticated, Scope

log = logging.getLogger(__name__)
EVERY = 30.0
"""Seconds between two looks. Four small queries for each socket."""
ENDED = 4401
"""The code of the close: of those that are ours to give (RFC 6455, 7.4.2), after HTTP's 401."""


@dataclass(frozen=True)
class Standing:
    """What somebody may do, as far as it does not depend on to what."""

    account: int
    role: Role
    grants: frozenset[tuple[int, bool]]
    """Of their teams: (key, whether for commands too)."""

    def covers(self, before: "Standing") -> bool:
        """Whether nothing of what was there has gone."""
        return (self.account, self.role) == (before.account, before.role) and self.grants >= before.grants


def find_standing(user: AbstractBaseUser | AnonymousUser | None) -> Standing | None:
    """None of nobody."""
    role = role_of(user)
    if role is None:
        return None
    known = account(user)
    grants = Grant.objects.filter(team__user=known).values_list("pk", "commands")
    return Standing(known.pk, role, frozenset(grants))


async def look_again(scope: Scope) -> Standing | None:
    """By the headers with which the socket was opened, as if it were opened now."""
    found: list[Any] = []

    async def note(scope: Scope, receive: Any, send: Any) -> None:
        found.append(scope["user"])

    bare = {key: value for key, value in scope.items() if key not in ("user", "session")}
    await Authenticated(note)(bare, None, None)
    return await database_sync_to_async(find_standing)(found[0])


class Lasting:
    """`inner` is told that its client has gone, and the client that it is over, when the right of a socket has ended.

    To stand within `Authenticated`, which says who opened it.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        over = asyncio.ensure_future(_await_end(scope))
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
            await self._inner(scope, receive_until_end, send_while_open)
        finally:
            over.cancel()


async def _await_end(scope: Scope) -> None:
    """Returns when whoever opened the socket may no longer do all that they might then."""
    begun = await database_sync_to_async(find_standing)(scope["user"])
    while True:
        await asyncio.sleep(EVERY)
        try:
            now = await look_again(scope)
        except DatabaseError as error:
            # Nobody can take a right away while the record is away.
            log.debug("the right of a socket cannot be looked at: %s", error)
            continue
        if begun is not None and (now is None or not now.covers(begun)):
            log.info("a socket of account %s is closed: its right has ended", begun.account)
            return
