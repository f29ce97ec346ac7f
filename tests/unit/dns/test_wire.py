"""The hand-written reader and writer against dnspython, and against anything a socket may bring."""

import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.dns import wire

LABELS = st.lists(st.binary(min_size=1, max_size=20), max_size=8)
ADDRESS = (1, bytes((10, 0, 0, 1)))
RECORDS = st.sampled_from(
    [
        b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4",
        b"\1x\0\0\2\0\1\0\0\0\0\0\2\xc0\x0c",
        b"\0\0\x29\x10\0\0\0\0\0\0\0",
        b"\0\0\x29\x10\0\0\0\x80\0\0\5\xff\1\0\1x",
        b"\0\0\x29\x10\0\0\0\x80\0\0\5\xff\1\0\2x",
    ]
)
"""Two usual ones, EDNS without, with a whole, and with a cut option."""


def make(name: str = "Web.example", kind: str = "A", **options: object) -> dns.message.QueryMessage:
    return dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]


def read_by_dnspython(packet: bytes) -> wire.Query | None:
    try:
        message = dns.message.from_wire(packet, keyring=False)
        (question,) = message.question
        name = question.name.to_wire() or b""
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    kind, class_ = int(question.rdtype), int(question.rdclass)
    return wire.Query(
        message.id,
        int(message.flags),
        name + struct.pack("!HH", kind, class_),
        tuple(label.lower() for label in question.name.labels[:-1]),
        kind,
        class_,
        message.payload if message.edns >= 0 else None,
        max(message.edns, 0),
        bool(message.ednsflags & 0x8000),
    )


@given(
    labels=LABELS,
    kind=st.sampled_from(["A", "AAAA", "PTR", "MX", "HTTPS", "ANY", "TYPE4242"]),
    edns=st.sampled_from([None, 0, 3]),
    payload=st.integers(0, 65535),
    dnssec=st.booleans(),
    flags=st.sampled_from([0, dns.flags.RD, dns.flags.RD | dns.flags.CD, dns.flags.AD]),
)
def test_a_plain_question_is_read_as_dnspython_reads_it(
    labels: list[bytes], kind: str, edns: int | None, payload: int, dnssec: bool, flags: int
) -> None:
    message = dns.message.QueryMessage()
    message.flags = dns.flags.Flag(flags)
    name = dns.name.Name([*labels, b""])
    message.find_rrset(message.question, name, dns.rdataclass.IN, dns.rdatatype.from_text(kind), create=True)
    if edns is not None:
        message.use_edns(edns, dns.flags.DO if dnssec else 0, payload)
    packet = message.to_wire()
    query = wire.read_plain(packet)
    assert query is not None
    assert query == read_by_dnspython(packet) == wire._read_records(packet)


OPTIONS = st.lists(
    st.builds(dns.edns.GenericOption, st.integers(65001, 65100), st.binary(max_size=40)), max_size=6
)


@given(labels=LABELS, options=OPTIONS, payload=st.integers(0, 65535), signed=st.booleans())
def test_a_question_with_options_and_a_signature_is_read_as_dnspython_reads_it(
    labels: list[bytes], options: list[dns.edns.Option], payload: int, signed: bool
) -> None:
    message = dns.message.QueryMessage()
    name = dns.name.Name([*labels, b""])
    message.find_rrset(message.question, name, dns.rdataclass.IN, dns.rdatatype.A, create=True)
    message.use_edns(0, 0, payload, options=options)
    if signed:
        message.use_tsig(dns.tsig.Key("key.example", b"secret"))
    packet = message.to_wire()
    query = wire.read(packet)
    assert query == read_by_dnspython(packet)


@settings(max_examples=400)
@given(
    packet=st.binary(max_size=80)
    | st.builds(bytes.__add__, st.just(make().to_wire()), st.binary(max_size=40))
)
@example(b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")
@example(b"\0\1\1\0\0\1\0\0\0\0\0\0")
@example(b"\0\1\1\0\0\1\0\0\0\0\0\1\0\0\1\0\1\0\0\x29")
def test_any_bytes_are_read_refused_or_dropped(packet: bytes) -> None:
    try:
        query = wire.read(packet)
    except wire.Unanswered as refusal:
        assert refusal.reply is None or refusal.reply[:2] == packet[:2]
        assert refusal.reply is None or refusal.reply[2] & 0x80
    else:
        assert dns.message.from_wire(wire.write(query, [ADDRESS])).id == query.id


@settings(max_examples=400)
@given(start=st.binary(min_size=4, max_size=4), rest=st.binary(max_size=60))
def test_what_the_hand_reader_takes_dnspython_takes_too(start: bytes, rest: bytes) -> None:
    packet = start[:2] + b"\1\0\0\1\0\0\0\0\0" + bytes((start[3] & 1,)) + rest
    query = wire.read_plain(packet)
    if query is not None:
        assert query == read_by_dnspython(packet)


@settings(max_examples=400)
@given(sections=st.tuples(*[st.lists(RECORDS, max_size=2)] * 3))
def test_records_behind_a_question_are_passed_over_as_dnspython_does(
    sections: tuple[list[bytes], ...],
) -> None:
    counts = [len(section) for section in sections]
    packet = make().to_wire()[:6] + struct.pack("!3H", *counts) + make().to_wire()[12:]
    packet += b"".join(record for section in sections for record in section)
    query, expected = wire._read_records(packet), read_by_dnspython(packet)
    if sum(counts) > wire.MOST_RECORDS:
        assert query is None
    else:
        assert query == expected


def test_a_message_is_read_in_time_that_grows_with_its_bytes_only() -> None:
    """What a library that makes sense of the records takes seconds for."""
    question = b"\1a" * 126 + b"\0\0\1\0\1"
    record = b"\xc0\x0c\0\6\0\1\0\0\0\0\0\x18\xc0\x0c\xc0\x0c" + bytes(20)
    with pytest.raises(wire.Unanswered) as refusal:
        wire.read(b"\0\1\1\0\0\1" + struct.pack("!3H", 100, 0, 0) + question + record * 100)
    assert refusal.value.reply is not None
    assert wire.rcode_of(refusal.value.reply) == wire.FORMERR


@given(reply=st.binary(max_size=60))
def test_foreign_bytes_never_pass_for_an_upstream_reply(reply: bytes) -> None:
    query = wire.read(make().to_wire())
    assert not wire.answers_to(query, 7, b"\0\7\1\0" + reply)


def test_letters_stay_as_asked_and_are_folded_for_the_look_up() -> None:
    query = wire.read(make("WeB.Net").to_wire())
    assert query.labels == (b"web", b"net")
    reply = dns.message.from_wire(wire.write(query, [ADDRESS]))
    assert reply.question[0].name.to_text() == "WeB.Net."
    assert reply.answer[0].to_text() == "WeB.Net. 0 IN A 10.0.0.1"


def test_options_of_a_question_do_not_keep_it_from_being_answered() -> None:
    message = make()
    message.use_edns(0, 0, 1400, options=[dns.edns.CookieOption(b"12345678", b"")])
    packet = message.to_wire()
    assert wire.read_plain(packet) is None
    query = wire.read(packet)
    assert (query.payload, query.labels) == (1400, (b"web", b"example"))


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (make().to_wire()[:-3], wire.FORMERR),
        (make().to_wire() + b"x", wire.FORMERR),
        (b"\0\1\1\0\0\0" + bytes(6), wire.FORMERR),
        (b"\0\1\1\0\0\2" + bytes(6) + make().to_wire()[12:] * 2, wire.FORMERR),
        (b"\0\1\1\0\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1", wire.FORMERR),
        (b"\0\1\x20\0\0\1" + bytes(6), wire.NOTIMP),
        (make(rdclass="CH").to_wire(), wire.REFUSED),
        (make(kind="AXFR").to_wire(), wire.REFUSED),
        (make(use_edns=1).to_wire(), wire.BADVERS),
    ],
    ids=["cut", "trailing", "none", "two", "loop", "opcode", "class", "transfer", "version"],
)
def test_what_is_no_question_for_us_is_refused_with_the_right_code(packet: bytes, rcode: int) -> None:
    with pytest.raises(wire.Unanswered) as refusal:
        wire.read(packet)
    assert refusal.value.reply is not None
    reply = dns.message.from_wire(refusal.value.reply)
    assert (reply.id, reply.rcode()) == (int.from_bytes(packet[:2], "big"), rcode)
    assert reply.flags & dns.flags.QR


@pytest.mark.parametrize("packet", [b"", b"\0" * 11, make().to_wire()[:2] + b"\x81" + make().to_wire()[3:]])
def test_fragments_of_a_header_and_responses_are_dropped(packet: bytes) -> None:
    with pytest.raises(wire.Unanswered) as refusal:
        wire.read(packet)
    assert refusal.value.reply is None


@pytest.mark.parametrize(
    ("payload", "limit"), [(None, 512), (0, 512), (511, 512), (1232, 1232), (4096, 4096), (65535, 4096)]
)
def test_as_many_records_as_fit_are_sent_and_the_rest_is_announced(payload: int | None, limit: int) -> None:
    message = make("big") if payload is None else make("big", use_edns=0, payload=payload)
    query = wire.read(message.to_wire())
    assert query.udp_limit == limit
    records = [(1, struct.pack("!I", number)) for number in range(400)]
    packet = wire.write(query, records, limit=limit)
    reply = dns.message.from_wire(packet)
    assert limit - 16 < len(packet) <= limit
    assert reply.flags & dns.flags.TC
    assert (reply.edns, reply.payload) == ((-1, 0) if payload is None else (0, 1232))
    kept = [record.to_text() for record in reply.answer[0]]
    assert kept == [f"0.0.{number >> 8}.{number & 255}" for number in range(len(kept))]


def test_a_reply_repeats_rd_cd_and_do_and_offers_recursion() -> None:
    message = make(use_edns=0, ednsflags=dns.flags.DO, flags=dns.flags.RD | dns.flags.CD)
    reply = dns.message.from_wire(wire.write(wire.read(message.to_wire()), [ADDRESS]))
    assert reply.flags == dns.flags.QR | dns.flags.RD | dns.flags.RA | dns.flags.CD
    assert reply.ednsflags == dns.flags.DO
    assert not dns.message.from_wire(wire.write(wire.read(make(flags=0).to_wire()))).flags & dns.flags.RD


def test_a_zero_byte_in_a_label_is_part_of_it() -> None:
    packet = b"\0\1\1\0\0\1" + bytes(6) + b"\3a\0b\0\0\1\0\1"
    assert wire.read(packet).labels == (b"a\0b",)


def test_an_upstream_reply_is_known_by_id_and_question() -> None:
    query = wire.read(make("Web.Example").to_wire())
    reply = dns.message.make_response(make("wEB.example", id=7)).to_wire()
    assert wire.answers_to(query, 7, reply)
    assert not wire.answers_to(query, 8, reply)
    assert not wire.answers_to(query, 7, make("Web.Example", id=7).to_wire())
    assert not wire.answers_to(query, 7, dns.message.make_response(make("web.other", id=7)).to_wire())
    assert not wire.answers_to(query, 7, dns.message.make_response(make("web.example", "MX", id=7)).to_wire())
    refused = struct.pack("!6H", 7, 0x8005, 0, 0, 0, 0)
    assert wire.answers_to(query, 7, refused)
    assert not wire.answers_to(query, 7, struct.pack("!6H", 7, 0x8000, 0, 0, 0, 0))


def test_a_cut_reply_keeps_the_question_and_says_ask_by_tcp() -> None:
    query = wire.read(make("big", use_edns=0).to_wire())
    whole = wire.write(query, [ADDRESS] * 300)
    reply = dns.message.from_wire(wire.cut(query, whole))
    assert reply.flags & dns.flags.TC
    assert (len(reply.question), reply.answer) == (1, [])
