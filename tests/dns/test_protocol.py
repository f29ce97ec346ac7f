"""UDP and TCP as clients use and misuse them."""

import contextlib
import multiprocessing
import socket
import struct
import time
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import pytest

from tests.dns.host import NameServer, dig, holder, tcp_to, udp_to, view

MakeSandbox = Callable[[str], str]
QUESTION = dns.message.make_query("web", "A", id=4711).to_wire()


@pytest.fixture
def asker(server: NameServer, sandbox: MakeSandbox) -> str:
    """A sandbox that knows `web`, and `big` with 40 holders."""
    name = sandbox("asker")
    many = [
        holder(f"b{number}", "big", network="a", ipv4=f"10.1.1.{number}", order=number)
        for number in range(40)
    ]
    server.client.update([holder("web", ipv4="10.1.0.2"), *many, view(name, "a", forward=False)], [])
    return name


def exchange(door: socket.socket, packet: bytes) -> dns.message.Message:
    door.send(packet)
    return dns.message.from_wire(door.recv(65535))


def receive_stream(door: socket.socket) -> dns.message.Message:
    with door.makefile("rb") as stream:
        (size,) = struct.unpack("!H", stream.read(2))
        return dns.message.from_wire(stream.read(size))


def framed(packet: bytes) -> bytes:
    return struct.pack("!H", len(packet)) + packet


def test_forty_holders_are_cut_at_512_bytes_and_whole_with_edns_or_tcp(asker: str) -> None:
    short = dig(asker, "big", "+noedns", "+ignore")
    assert (short.flags, len(short.answers)) == (("qr", "tc", "rd", "ra"), 30)
    assert short.size <= 512
    assert short.values == [f"10.1.1.{number}" for number in range(30)]
    assert len(dig(asker, "big", "+bufsize=700", "+ignore").answers) == 40
    middle = dig(asker, "big", "+bufsize=600", "+ignore")
    assert ("tc" in middle.flags, 600 - 16 < middle.size <= 600) == (True, True)
    for arguments in (("+edns",), ("+tcp",), ("+noedns",)):
        whole = dig(asker, "big", *arguments)
        assert (whole.flags, len(whole.answers)) == (("qr", "rd", "ra"), 40)


def test_the_reply_repeats_id_and_letters_also_from_the_cache(asker: str) -> None:
    with udp_to(asker) as door:
        for number, name in ((1, "web"), (2, "WEB"), (3, "wEb.nEt-a"), (4, "Web.net-A")):
            reply = exchange(door, dns.message.make_query(name, "A", id=number).to_wire())
            assert (reply.id, reply.question[0].name.to_text()) == (number, f"{name}.")
            assert reply.answer[0].to_text() == f"{name}. 0 IN A 10.1.0.2"


def test_equal_questions_are_answered_from_the_cache(asker: str, server: NameServer) -> None:
    before = server.client.stats()
    with udp_to(asker) as door:
        for _ in range(10):
            exchange(door, QUESTION)
    after = server.client.stats()
    assert after["queries"] - before["queries"] == 10
    assert after["cache_hits"] - before["cache_hits"] == 9
    timed = [sum(stats["timings"]["local"]["counts"]) for stats in (before, after)]
    assert timed[1] - timed[0] == 10, "each answer is timed once, kept or not"


def test_edns_is_answered_with_edns_and_plain_with_plain(asker: str) -> None:
    with udp_to(asker) as door:
        for _ in range(2):
            assert exchange(door, dns.message.make_query("web", "A").to_wire()).edns == -1
            wanted = dns.message.make_query("web", "A", use_edns=0, ednsflags=dns.flags.DO)
            reply = exchange(door, wanted.to_wire())
            assert (reply.edns, reply.payload, reply.ednsflags) == (0, 1232, dns.flags.DO)


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (QUESTION[:-2], dns.rcode.FORMERR),
        (QUESTION[:5] + b"\2" + QUESTION[6:], dns.rcode.FORMERR),
        (QUESTION[:12] + b"\xc0\x0c\0\1\0\1", dns.rcode.FORMERR),
        (QUESTION[:2] + b"\x28" + QUESTION[3:], dns.rcode.NOTIMP),
        (dns.message.make_query("web", "A", "CH").to_wire(), dns.rcode.REFUSED),
    ],
    ids=["cut", "two questions", "loop", "update", "chaos"],
)
def test_what_is_no_question_for_us_gets_its_code(asker: str, packet: bytes, rcode: int) -> None:
    with udp_to(asker) as door:
        assert exchange(door, packet).rcode() == rcode


@pytest.mark.parametrize("packet", [b"", b"x", QUESTION[:11], QUESTION[:2] + b"\x81" + QUESTION[3:]])
def test_fragments_and_responses_get_silence_and_the_next_question_its_answer(
    asker: str, packet: bytes
) -> None:
    with udp_to(asker) as door:
        door.send(packet)
        assert exchange(door, b"\0\1" + QUESTION[2:]).id == 1


def test_several_questions_on_one_connection_are_answered_in_order(asker: str) -> None:
    with tcp_to(asker) as door:
        packets = [dns.message.make_query("web", "A", id=number).to_wire() for number in range(1, 6)]
        door.sendall(b"".join(framed(packet) for packet in packets))
        assert [receive_one(door) for _ in packets] == [1, 2, 3, 4, 5]


def receive_one(door: socket.socket) -> int:
    size = int.from_bytes(door.recv(2, socket.MSG_WAITALL), "big")
    return int.from_bytes(door.recv(size, socket.MSG_WAITALL)[:2], "big")


def test_a_question_in_pieces_is_put_together(asker: str) -> None:
    with tcp_to(asker) as door:
        for byte in framed(QUESTION):
            door.send(bytes((byte,)))
        assert receive_stream(door).answer[0].to_text() == "web. 0 IN A 10.1.0.2"


def test_rubbish_on_a_connection_ends_only_that_connection(asker: str) -> None:
    with tcp_to(asker) as bad, tcp_to(asker) as good:
        bad.sendall(framed(b"rubbish"))
        assert bad.recv(1) == b""
        good.sendall(framed(QUESTION))
        assert receive_stream(good).id == 4711


def test_a_connection_too_many_is_closed_and_the_others_go_on(asker: str) -> None:
    doors = [tcp_to(asker) for _ in range(65)]
    try:
        assert doors[-1].recv(1) == b""
        doors[0].sendall(framed(QUESTION))
        assert receive_stream(doors[0]).id == 4711
        for door in doors:
            door.close()
        time.sleep(0.2)
        with tcp_to(asker) as door:
            door.sendall(framed(QUESTION))
            assert receive_stream(door).id == 4711
    finally:
        for door in doors:
            door.close()


def test_an_idle_connection_is_closed(asker: str) -> None:
    with tcp_to(asker, seconds=15) as door:
        before = time.monotonic()
        assert door.recv(1) == b""
        assert 9 < time.monotonic() - before < 14


def test_a_flood_from_one_sandbox_leaves_others_their_answers(
    asker: str, server: NameServer, sandbox: MakeSandbox
) -> None:
    calm = sandbox("calm")
    server.client.update([view(calm, "a")], [])
    fork = multiprocessing.get_context("fork")
    doors = [udp_to(asker) for _ in range(3)]
    floods = [fork.Process(target=flood, args=(door,), daemon=True) for door in doors]
    for process in floods:
        process.start()
    try:
        with udp_to(calm) as door:
            time.sleep(0.3)
            for _ in range(20):
                before = time.monotonic()
                assert exchange(door, QUESTION).id == 4711
                assert time.monotonic() - before < 1
    finally:
        for process, door in zip(floods, doors, strict=True):
            process.kill()
            process.join()
            door.close()


def flood(door: socket.socket) -> None:
    """Ask faster than anybody can answer."""
    while True:
        with contextlib.suppress(OSError):
            door.send(QUESTION)


def test_nobody_outside_the_sandbox_reaches_its_server(asker: str, server: NameServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.settimeout(0.5)
        door.connect(("127.0.0.11", 53))
        with pytest.raises(OSError):
            exchange(door, QUESTION)
