"""Something large on its way from the server to a host, in pieces through Redis.

The host asks for pieces: one word on `credit_key` for each that it has room for, `WINDOW` to begin with. The server
puts one piece on `transfer_key` for each word. A piece begins with a byte: 0 data, 1 the end (a sealed `End`, by
which the host knows that all of it is the server's), 2 given up. So never more than WINDOW pieces are in Redis.
"""

from workers.contract.state import Struct

DATA, END, GIVEN_UP = b"\0", b"\1", b"\2"
PIECE = 1 << 20
"""Bytes of data in one piece, at most."""
WINDOW = 8
PATIENCE = 30.0
"""Seconds that either side waits for the other."""
LIMIT = 4 << 30
"""Bytes of one transfer."""


class End(Struct, frozen=True, kw_only=True):
    transfer: str
    size: int
    sha256: str
    """Of all data, in hex."""
