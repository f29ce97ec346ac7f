"""How a machine becomes a host: a one-time token that never travels, and an answer that only its holder can open.

A token is `naj_<key>.<secret>`. The server keeps the key and a verifier made from the secret. The machine proves that
it has the secret by an HMAC, and the server's answer is encrypted under a key made from the same secret (AES-256-GCM),
so that the exchange is safe over plain HTTP too. All functions raise `Refused` for what does not fit.
"""

import base64
import hashlib
import hmac
import secrets
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.contract.envelope import Refused
from workers.contract.state import Struct

T = TypeVar("T", bound=msgspec.Struct)
PREFIX = "naj_"


class Token(Struct, frozen=True, kw_only=True):
    key: str
    """May be seen; by it the server finds the invitation."""
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.key}.{self.secret}"

    @property
    def verifier(self) -> str:
        """64 hex digits; what the server keeps in place of the secret."""
        return hashlib.sha256(f"netadmin join\n{self.secret}".encode()).hexdigest()


class Request(Struct, frozen=True, kw_only=True):
    """The body of POST /api/v1/join/."""

    key: str
    nonce: str
    """32 hex digits, fresh for each try."""
    at: float
    """Seconds since the epoch, by the machine's clock."""
    proof: str
    """See `prove`."""
    version: str = ""


class Configuration(Struct, frozen=True, kw_only=True):
    """What a host's worker needs to know; kept in a file that only root can read."""

    host: str
    key: str
    """Signs and opens this host's messages, and no other's."""
    epoch: str
    redis_url: str
    """As redis-py spells it, with the host's own login where it is not the server's machine."""
    redis_ca: str = ""
    """PEM of the authority that signed the broker's certificate; empty: one that the machine trusts anyway."""
    advertise: str = ""
    state_dir: str = ""
    """Of the host's processes; chosen on the machine itself."""


def make_token() -> Token:
    return Token(key=secrets.token_hex(6), secret=secrets.token_urlsafe(32))


def read_token(text: str) -> Token:
    key, dot, secret = text.removeprefix(PREFIX).partition(".")
    if not text.startswith(PREFIX) or not dot or not key or not secret:
        raise Refused("this is no join token; copy the whole command that `netadmin host add` printed")
    return Token(key=key, secret=secret)


def prove(verifier: str, nonce: str, at: float) -> str:
    return hmac.new(bytes.fromhex(verifier), f"join\n{nonce}\n{at!r}".encode(), hashlib.sha256).hexdigest()


def check_proof(request: Request, verifier: str) -> None:
    if not hmac.compare_digest(request.proof, prove(verifier, request.nonce, request.at)):
        raise Refused("the proof does not fit the token")


def seal_answer(answer: msgspec.Struct, verifier: str, nonce: str) -> str:
    """Base64 of what only the holder of the token's secret can read, in answer to the request with that nonce."""
    iv = secrets.token_bytes(12)
    text = AESGCM(_answer_key(verifier, nonce)).encrypt(iv, msgspec.json.encode(answer), nonce.encode())
    return base64.b64encode(iv + text).decode()


def open_answer(sealed: str, expected: type[T], verifier: str, nonce: str) -> T:
    try:
        data = base64.b64decode(sealed, validate=True)
        text = AESGCM(_answer_key(verifier, nonce)).decrypt(data[:12], data[12:], nonce.encode())
        return msgspec.json.decode(text, type=expected)
    except (ValueError, InvalidTag, msgspec.DecodeError) as error:
        raise Refused("the answer is not from the server that made the token") from error


def _answer_key(verifier: str, nonce: str) -> bytes:
    return hmac.new(bytes.fromhex(verifier), f"answer\n{nonce}".encode(), hashlib.sha256).digest()
