"""HTTP for Django: a request is answered from its start to its end by one of the threads that are kept for that.

Django's own handler gives each request a new thread, with a database connection that is opened and closed again, and
takes it through the event loop once more for each middleware that knows nothing of asyncio; ours all do not.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from apps.common.errors import TooLarge
from apps.common.refusing import refuse

MOST = 256
"""Requests answered at once. One that waits for its host keeps its thread; a thread is only made when none is idle."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a request's body; archives of images apart."""


class ThreadedHandler(ASGIHandler):
    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="request")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        except TooLarge as error:
            await refuse(scope, send, error, (b"connection", b"close"))
            return
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._threads, copy_context().run, self._answer, scope, body)
        if not isinstance(response, StreamingHttpResponse):
            await self.send_response(response, send)
            return
        if not response.is_async:
            response.streaming_content = self._pull(iter(response))
        try:
            await self._send_until_disconnect(response, receive, send)
        finally:
            await loop.run_in_executor(self._threads, response.close)

    async def read_body(self, receive: Any) -> Any:
        """RequestAborted without the whole of it, TooLarge of more than is taken: Django's own keeps any amount on disk
        before it asks who sends it."""
        # Whoever asked for it closes it.
        file = tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            try:
                if message["type"] == "http.disconnect":
                    raise RequestAborted
                if size > LARGEST:
                    raise TooLarge(
                        "body_too_large", f"A request may have {LARGEST >> 20} MiB; send less at once."
                    )
            except (RequestAborted, TooLarge):
                file.close()
                raise
            file.write(message.get("body", b""))
            more = message.get("more_body", False)
        file.seek(0)
        return file

    def _answer(self, scope: Any, body: Any) -> HttpResponseBase:
        """In a thread of ours: everything but sending."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response = self.get_response(request) if request is not None else refusal
        if request is not None and request.resolver_match is not None:
            scope["route"] = request.resolver_match.view_name
        assert response is not None
        if response.streaming:
            close_old_connections()
        else:
            # This also says that the request is over, and it must be said where its database connection is.
            response.close()
        return response

    async def _send_until_disconnect(self, response: StreamingHttpResponse, receive: Any, send: Any) -> None:
        """A stream may have no end of its own."""
        gone = asyncio.ensure_future(receive())
        sent = asyncio.ensure_future(self.send_response(response, send))
        await asyncio.wait((gone, sent), return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, sent):
            task.cancel()
        for result in await asyncio.gather(gone, sent, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _pull(self, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """What is read piece by piece, such as a file, does not hold up the event loop."""
        loop = asyncio.get_running_loop()
        while (part := await loop.run_in_executor(self._threads, next, parts, None)) is not None:
            yield part
