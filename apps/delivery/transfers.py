"""Bringing something large to a host, in pieces through Redis: see `workers.contract.transfers`."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import redis
from django.conf import settings

from apps.common.errors import Invalid, Unavailable
from apps.delivery.answers import connection, key_of, take_first
from apps.delivery.questions import pose, read
from apps.hosts.models import Host
from workers.contract import transfers
from workers.contract.broker import credit_key, transfer_key
from workers.contract.envelope import seal

DONE_WITHIN = 600.0
"""Seconds that a host may take to work up what it was sent."""


def bring(host: Host, kind: str, arguments: Mapping[str, Any], chunks: Iterable[bytes]) -> dict[str, Any]:
    """The host's answer to a question that comes with `chunks` of data, which are taken as fast as it takes them.

    Unavailable when the host falls silent, Invalid when there is too much; what the host refuses, at once.
    """
    sending = _Sending(host)
    question = pose(host, kind, {**arguments, "transfer": sending.transfer}, transfers.PATIENCE)
    try:
        answer = sending.send(question, chunks)
    except redis.RedisError as error:
        raise Unavailable("broker_silent", f"The server cannot reach the broker ({error}).") from error
    return read(host, question, answer)


class _Sending:
    def __init__(self, host: Host) -> None:
        self.transfer = uuid.uuid4().hex
        self._host, self._redis = host, connection()
        self._key = transfer_key(host.name, self.transfer)
        self._credit = credit_key(host.name, self.transfer)
        # Until the first word, the host may be one that is not there.
        self._patience: float = settings.NETADMIN_ANSWER_TIMEOUT

    def send(self, question: str, chunks: Iterable[bytes]) -> str | None:
        """What the host answers; None when it fell silent."""
        digest, size = hashlib.sha256(), 0
        ended = False
        try:
            for piece in _pieces(chunks):
                size += len(piece)
                if size > transfers.LIMIT:
                    raise Invalid("too_large", f"More than {transfers.LIMIT >> 30} GiB are not taken.")
                digest.update(piece)
                word, answer = self._await_word(question)
                if not word:
                    return answer
                self._put(transfers.DATA + piece)
            # Also before the end: nothing may have come before it.
            word, answer = self._await_word(question)
            if not word:
                return answer
            end = transfers.End(transfer=self.transfer, size=size, sha256=digest.hexdigest())
            sealed = seal(end, host=self._host.name, key=self._host.key, direction="to-host")
            self._put(transfers.END + json.dumps(sealed).encode())
            ended = True
        finally:
            # A client that hung up in the middle; the host must not wait for the rest.
            if not ended:
                self._put(transfers.GIVEN_UP)
        found = take_first([key_of(question)], DONE_WITHIN)
        return found[1].decode() if found else None

    def _await_word(self, question: str) -> tuple[bool, str | None]:
        """(The host takes another piece, or the answer that it gave already)."""
        found = take_first([key_of(question), self._credit], self._patience)
        if found is None:
            return False, None
        self._patience = transfers.PATIENCE
        key, content = found
        if key == key_of(question).encode():
            return False, content.decode()
        return True, None

    def _put(self, piece: bytes) -> None:
        with self._redis.pipeline() as pipe:
            pipe.lpush(self._key, piece)
            pipe.expire(self._key, int(2 * transfers.PATIENCE))
            pipe.execute()


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same data in pieces of one size, so that small chunks cost no round trip each."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        while len(kept) >= transfers.PIECE:
            yield bytes(kept[: transfers.PIECE])
            del kept[: transfers.PIECE]
    if kept:
        yield bytes(kept)
