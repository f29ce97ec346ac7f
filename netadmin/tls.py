"""TLS of the Docker Engine API: a layer between a connection and the protocol that speaks HTTP over it.

asyncio's own ends the whole connection as soon as the other side says that it sends no more. Docker's client says that
at the end of its input (`docker exec -i`, `docker attach`) and then waits for the output: here it gets it.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from netadmin.certificates import Certificate

log = logging.getLogger(__name__)
HANDSHAKE = 10.0
"""Seconds within which it must be done."""
PIECE = 65536


def make_context(certificate: Certificate) -> ssl.SSLContext:
    """For who shows a certificate that the authority has signed, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.load_verify_locations(certificate.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsTransport(asyncio.Transport):
    """What the protocol inside sees: plain bytes, with an end of its own in each direction."""

    def __init__(self, layer: "TlsConnection", lower: asyncio.Transport) -> None:
        super().__init__()
        self._layer, self._lower = layer, lower
        self.reading = True
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._lower.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._layer.inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._layer.inner is not None
        return self._layer.inner

    def is_closing(self) -> bool:
        return self._closing or self._lower.is_closing()

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False
        self._lower.pause_reading()

    def resume_reading(self) -> None:
        if not self.reading and not self.is_closing():
            self.reading = True
            self._lower.resume_reading()
            # What is decrypted already waits in the layer.
            asyncio.get_running_loop().call_soon(self._layer.advance)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self.is_closing():
            self._layer.encrypt(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.is_closing():
            self._layer.say_end()

    def close(self) -> None:
        if not self.is_closing():
            self._closing = True
            self._layer.say_end()
            self._lower.close()

    def abort(self) -> None:
        self._closing = True
        self._lower.abort()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._lower.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._lower.get_write_buffer_size()


class TlsConnection(asyncio.Protocol):
    """The layer itself. `make_inner` is called when the other side has shown its certificate, with that (DER)."""

    def __init__(self, context: ssl.SSLContext, make_inner: Callable[[bytes], asyncio.BaseProtocol]) -> None:
        self._received, self._sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._sent, server_side=True)
        self._make_inner = make_inner
        self.inner: asyncio.BaseProtocol | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of whatever loop: not all transports say that they are asyncio's.
        self._lower = cast(asyncio.Transport, transport)
        self._outer = TlsTransport(self, self._lower)
        self._patience = asyncio.get_running_loop().call_later(HANDSHAKE, self._lower.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._patience.cancel()
        if self.inner is not None:
            self.inner.connection_lost(error)

    def pause_writing(self) -> None:
        if self.inner is not None:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self.inner is not None:
            self.inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        self._received.write(data)
        self.advance()

    def eof_received(self) -> bool:
        """The connection was cut, or ended after the other side had said so."""
        self._end()
        return self.inner is not None

    def advance(self) -> None:
        """Go on with what has come in, as far as it goes."""
        try:
            if self.inner is None and not self._shake_hands():
                return
            while self._outer.reading and not self._ended and not self._outer.is_closing():
                piece = self._tls.read(PIECE)
                if not piece:
                    raise ssl.SSLZeroReturnError
                assert isinstance(self.inner, asyncio.Protocol)
                self.inner.data_received(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end()
        except ssl.SSLError as error:
            log.info("a TLS connection is refused: %s", error)
            self._flush()
            self._lower.close()
        self._flush()

    def _shake_hands(self) -> bool:
        """Whether both know who the other is."""
        self._tls.do_handshake()
        self._patience.cancel()
        shown = self._tls.getpeercert(binary_form=True)
        if shown is None:
            self._lower.abort()
            return False
        self.inner = self._make_inner(shown)
        self.inner.connection_made(self._outer)
        return True

    def _end(self) -> None:
        """Nothing more comes; whether anything still goes out, the protocol inside decides."""
        if self._ended:
            return
        self._ended = True
        if not isinstance(self.inner, asyncio.Protocol):
            self._lower.abort()
        elif not self.inner.eof_received():
            self._outer.close()

    def encrypt(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def say_end(self) -> None:
        """Nothing more goes out."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def _flush(self) -> None:
        if (data := self._sent.read()) and not self._lower.is_closing():
            self._lower.write(data)
