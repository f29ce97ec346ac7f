"""Where handlers that wait, for the database or for a host, run: threads of our own, so that REST's stay free."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

from channels.db import DatabaseSyncToAsync

P = ParamSpec("P")
T = TypeVar("T")
POOL = ThreadPoolExecutor(max_workers=48, thread_name_prefix="docker")
"""Each holds one request at most, for as long as its answer is worked on; streams hold none."""


async def in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    call = DatabaseSyncToAsync(function, thread_sensitive=False, executor=POOL)
    return await cast(Awaitable[T], call(*arguments, **named))
