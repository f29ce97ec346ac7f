"""DNS messages as bytes: reading a question and writing its answer (RFC 1035, EDNS: RFC 6891).

Pure. All is read by hand, in time that grows with the bytes of the message and nothing else: a library that also
makes sense of the records takes seconds for a few kilobytes of names that point to one another.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

HEADER = 12
MOST_RECORDS = 4
"""Beside the question: EDNS, a signature, what a zone transfer begins with."""
NOERROR, FORMERR, SERVFAIL, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 4, 5, 16
CLASS_IN = 1
ZONE_TRANSFERS = (251, 252)
TTL = 0
"""Seconds: nobody keeps a local answer, so that the next holder takes over at once."""
UDP_LIMIT = 512
UDP_ADVERTISED = 1232
UDP_MOST = 4096
"""Bytes of the largest UDP answer for whoever offers so much; loopback does not fragment it."""
TCP_LIMIT = 65535

_QR, _TC, _RD, _RA, _CD = 0x8000, 0x0200, 0x0100, 0x0080, 0x0010
_OPT_SIZE = 11
_POINTER = 0xC0
_OPT_START = b"\0\0\x29"
_POINTER_TO_QUESTION = b"\xc0\x0c"


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `question`: name, type and class uncompressed, letters as asked; `labels`: lower case."""

    id: int
    flags: int
    question: bytes
    labels: tuple[bytes, ...]
    type: int
    class_: int
    payload: int | None = None
    """Bytes that the asker takes by UDP; None: no EDNS."""
    version: int = 0
    dnssec_ok: bool = False

    @property
    def udp_limit(self) -> int:
        return UDP_LIMIT if self.payload is None else min(max(self.payload, UDP_LIMIT), UDP_MOST)


class Unanswered(Exception):
    """The message holds no question for us; `reply` says so to the sender, None: silence."""

    def __init__(self, reply: bytes | None) -> None:
        super().__init__()
        self.reply = reply


def read(packet: bytes) -> Query:
    """The question of a message; raise Unanswered if there is none that can be looked up."""
    if len(packet) < HEADER:
        raise Unanswered(None)
    flags, questions = struct.unpack_from("!HH", packet, 2)
    if flags & _QR:
        # Answering answers would let two servers talk for ever.
        raise Unanswered(None)
    if flags & 0x7800:
        raise Unanswered(_bare(packet, NOTIMP))
    if questions != 1:
        raise Unanswered(_bare(packet, FORMERR))
    query = read_plain(packet) or _read_records(packet)
    if query is None:
        raise Unanswered(_bare(packet, FORMERR))
    if query.version:
        raise Unanswered(write(query, rcode=BADVERS))
    if query.class_ != CLASS_IN or query.type in ZONE_TRANSFERS:
        raise Unanswered(write(query, rcode=REFUSED))
    return query


def read_plain(packet: bytes) -> Query | None:
    """Read one question and at most a bare OPT record, which is what nearly everybody sends; None: not so plain."""
    number, flags, questions, answers, authorities, extras = struct.unpack_from("!6H", packet)
    if questions != 1 or answers or authorities or extras > 1:
        return None
    labels = []
    at, size = HEADER, len(packet)
    while at < size and (length := packet[at]):
        if length > 63:
            return None
        labels.append(packet[at + 1 : at + 1 + length].lower())
        at += 1 + length
    end = at + 5
    if end + extras * _OPT_SIZE != size or at - HEADER > 254:
        return None
    kind, class_ = struct.unpack_from("!HH", packet, at + 1)
    question = packet[HEADER:end]
    if not extras:
        return Query(number, flags, question, tuple(labels), kind, class_)
    payload, version, bits, options = struct.unpack_from("!HxBHH", packet, end + 3)
    if not packet.startswith(_OPT_START, end) or options:
        return None
    return Query(number, flags, question, tuple(labels), kind, class_, payload, version, bool(bits & 0x8000))


def write(
    query: Query, records: Sequence[tuple[int, bytes]] = (), rcode: int = NOERROR, limit: int = TCP_LIMIT
) -> bytes:
    """The reply: as many `records` (type, rdata) as `limit` bytes take; what does not fit sets TC."""
    edns = b"" if query.payload is None else _opt(query, rcode)
    room = limit - HEADER - len(query.question) - len(edns)
    parts: list[bytes] = []
    for kind, data in records:
        part = _POINTER_TO_QUESTION + struct.pack("!HHIH", kind, CLASS_IN, TTL, len(data)) + data
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    flags = _QR | (query.flags & (_RD | _CD)) | (rcode & 0xF)
    if rcode == NOERROR:
        flags |= _RA
    if len(parts) < len(records):
        flags |= _TC
    header = struct.pack("!6H", query.id, flags, 1, len(parts), 0, 1 if edns else 0)
    return b"".join((header, query.question, *parts, edns))


def answers_to(query: Query, number: int, reply: bytes) -> bool:
    """Whether `reply` belongs to `query` as it was sent on under the id `number`."""
    if len(reply) < HEADER:
        return False
    got, flags, questions = struct.unpack_from("!HHH", reply)
    if got != number or not flags & _QR:
        return False
    if questions == 0:
        # Servers that could not read or would not take a question may leave it out.
        return flags & 0xF in (FORMERR, SERVFAIL, NOTIMP, REFUSED)
    end = HEADER + len(query.question)
    return questions == 1 and reply[HEADER:end].lower() == query.question.lower()


def cut(query: Query, reply: bytes) -> bytes:
    """A reply larger than the asker takes by UDP, reduced to its question and the sign to ask by TCP."""
    flags = int.from_bytes(reply[2:4], "big") | _TC
    edns = b"" if query.payload is None else _opt(query, NOERROR)
    return struct.pack("!6H", query.id, flags, 1, 0, 0, 1 if edns else 0) + query.question + edns


def rcode_of(message: bytes) -> int:
    """The four bits in the header, without EDNS's extension."""
    return message[3] & 0xF


def _read_records(packet: bytes) -> Query | None:
    """Read a question that has records behind it; None: it is malformed, or carries what no question does.

    Of the records only the frame is looked at, and of EDNS what `Query` holds. A question whose name is compressed
    is malformed: there is nothing before it that it could point to.
    """
    *_, answers, authorities, extras = struct.unpack_from("!6H", packet)
    others = answers + authorities
    if others + extras > MOST_RECORDS:
        return None
    try:
        at = _skip_name(packet, HEADER, pointers=False) + 4
        bare = packet[:6] + bytes(6) + packet[HEADER:at]
        edns = None
        for number in range(others + extras):
            start, at = at, _skip_record(packet, at)
            if packet.startswith(_OPT_START, start):
                if edns is not None or number < others:
                    return None
                edns = _read_edns(packet[start:at])
    except (IndexError, struct.error):
        return None
    query = read_plain(bare)
    if query is None or at != len(packet):
        return None
    return query if edns is None else replace(query, payload=edns[0], version=edns[1], dnssec_ok=edns[2])


def _skip_name(packet: bytes, at: int, pointers: bool = True) -> int:
    """Where what follows the name begins, which may be beyond the end; raise IndexError for a name cut short."""
    while length := packet[at]:
        if length > 63:
            if length < _POINTER or not pointers:
                raise IndexError
            return at + 2
        at += 1 + length
    return at + 1


def _skip_record(packet: bytes, at: int) -> int:
    """Where what follows the record begins; raise IndexError or struct.error for one cut short."""
    at = _skip_name(packet, at)
    (size,) = struct.unpack_from("!8xH", packet, at)
    end = at + 10 + int(size)
    if end > len(packet):
        raise IndexError
    return end


def _read_edns(record: bytes) -> tuple[int, int, bool]:
    """Payload, version, whether DNSSEC is wanted; raise IndexError when an option is cut short."""
    payload, version, bits = struct.unpack_from("!HxBH", record, 3)
    at = _OPT_SIZE
    while at < len(record):
        at += 4 + (record[at + 2] << 8 | record[at + 3])
    if at != len(record):
        raise IndexError
    return payload, version, bool(bits & 0x8000)


def _bare(packet: bytes, rcode: int) -> bytes:
    """A reply of nothing but the header, for a message whose question cannot be repeated."""
    number, flags = struct.unpack_from("!HH", packet)
    return struct.pack("!6H", number, _QR | (flags & (0x7800 | _RD)) | rcode, 0, 0, 0, 0)


def _opt(query: Query, rcode: int) -> bytes:
    bits = 0x8000 if query.dnssec_ok else 0
    return _OPT_START + struct.pack("!HBBHH", UDP_ADVERTISED, rcode >> 4, 0, bits, 0)
