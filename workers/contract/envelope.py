"""Encoding and signature of what travels between server and host.

A message is JSON text with an HMAC-SHA256 over direction, host and text, made with the host's own key, so that one
host's key opens and forges nothing of another's and a message cannot be sent back the way it came.
"""

import hashlib
import hmac
from typing import Literal, TypedDict, TypeVar

import msgspec

T = TypeVar("T")
Direction = Literal["to-host", "to-server"]


class Envelope(TypedDict):
    host: str
    body: str
    signature: str


class Refused(Exception):
    """The message is forged, altered, for another host, or not of the expected shape."""


class Misshapen(Refused):
    """It is genuine, but of a shape that is not known here: whoever sent it is of another version."""


def _sign(key: str, direction: Direction, host: str, body: str) -> str:
    text = "\n".join((direction, host, body))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def seal(message: msgspec.Struct, *, host: str, key: str, direction: Direction) -> Envelope:
    body = msgspec.json.encode(message).decode()
    return {"host": host, "body": body, "signature": _sign(key, direction, host, body)}


def _fits(signature: object, key: str, direction: Direction, host: str, body: object) -> bool:
    """Neither is a text before it is known whose they are."""
    if not isinstance(signature, str) or not isinstance(body, str):
        return False
    try:
        return hmac.compare_digest(signature.encode(), _sign(key, direction, host, body).encode())
    except UnicodeEncodeError:
        # Half a character (RFC 8259, 8.2).
        return False


def unseal(envelope: Envelope, expected: type[T], *, host: str, key: str, direction: Direction) -> T:
    """The message inside, or `Refused`."""
    try:
        body, signature, addressee = envelope["body"], envelope["signature"], envelope["host"]
    except (KeyError, TypeError) as error:
        raise Refused("the message has no body, signature or host") from error
    if addressee != host or not _fits(signature, key, direction, host, body):
        raise Refused(f"the signature of a message for host {addressee!r} does not fit")
    try:
        return msgspec.json.decode(body, type=expected)
    except msgspec.DecodeError as error:
        raise Misshapen(f"the message has another shape than expected: {error}") from error
