"""How connections become WebSockets: uvicorn's way, but whoever asks is answered."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_TEXT = b"The head of the request is longer or stranger than that of a WebSocket may be."
_REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's says nothing of a head that the library does not take (a line of more than 8 KiB), and waits without an
    end for another."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is None or self.handshake_initiated or self.transport.is_closing():
            return
        self.handshake_complete = self.close_sent = True
        self.transport.write(_REFUSAL % (len(_TEXT), _TEXT))
        self.transport.close()
