"""What a sandbox that means harm can do to the others, to the host's memory, and to whoever is outside."""

import socket
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.rcode
import pytest

from tests.dns.conftest import FIRST
from tests.dns.host import NameServer, holder, inside, tcp_to, udp_to, view, wait_until
from workers.dns.server import MOST_FORWARDED

MakeSandbox = Callable[[str], str]
LOCAL = dns.message.make_query("web", "A", id=4711).to_wire()
MEGABYTE = 1 << 20


@pytest.fixture
def pair(server: NameServer, sandbox: MakeSandbox) -> tuple[str, str]:
    """Two sandboxes on a network where `web` is known: a harmful and a calm one."""
    names = (sandbox("harmful"), sandbox("calm"))
    server.client.update([holder("web", ipv4="10.1.0.2"), *(view(name, "a") for name in names)], [])
    return names


@pytest.fixture
def dead_upstream(server: NameServer) -> Iterator[socket.socket]:
    """The only server of the host: it takes every question and answers none."""
    server.resolv_conf.write_text(f"nameserver {FIRST}\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MEGABYTE)
        door.bind((FIRST, 53))
        door.setblocking(False)
        yield door


def answer(door: socket.socket, packet: bytes) -> dns.message.Message:
    door.send(packet)
    return dns.message.from_wire(door.recv(65535))


def outside(number: int) -> bytes:
    return dns.message.make_query(f"n{number}.example.test", "A", id=1).to_wire()


def padded(number: int) -> bytes:
    padding = dns.edns.GenericOption(dns.edns.OptionType.PADDING, struct.pack("!I", number) * 108)
    return dns.message.make_query("web", "A", use_edns=0, options=[padding], id=1).to_wire()


def rubbish(number: int) -> bytes:
    return b"\0\1" + LOCAL[2:] + struct.pack("!I", number) * 500


def pour(door: socket.socket, packets: Iterable[bytes]) -> None:
    """Ask all of it, but so that never more than 50 are unread, and throw the replies away."""
    for number, packet in enumerate(packets):
        door.send(packet)
        if number % 50 == 49:
            door.send(LOCAL)
            while door.recv(65535)[:2] != LOCAL[:2]:
                pass


def resident(server: NameServer) -> int:
    assert server.process
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def descriptors(server: NameServer) -> int:
    assert server.process
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_a_dead_upstream_holds_up_no_local_name_nor_more_than_a_share_of_places(
    pair: tuple[str, str], server: NameServer, dead_upstream: socket.socket
) -> None:
    harmful, calm = pair
    before = descriptors(server)
    with udp_to(harmful) as flood, udp_to(calm) as door:
        pour(flood, map(outside, range(2 * MOST_FORWARDED)))
        wait_until(lambda: server.client.stats()["waiting"] == MOST_FORWARDED)
        for _ in range(20):
            assert answer(door, LOCAL).answer
        # All that was asked outside still waits: whoever was answered did not wait for it.
        assert server.client.stats()["waiting"] == MOST_FORWARDED
        assert descriptors(server) <= before + MOST_FORWARDED
        door.send(outside(0))
        wait_until(lambda: server.client.stats()["waiting"] == MOST_FORWARDED + 1)
    # Nothing is left of them after their time, and each was passed on once, at its size.
    wait_until(lambda: server.client.stats()["waiting"] == 0, seconds=30)
    wait_until(lambda: descriptors(server) <= before, seconds=30)
    sizes = [len(outside(number)) for number in (*range(MOST_FORWARDED), 0)]
    assert [len(dead_upstream.recv(4096)) for _ in sizes] == sizes
    with pytest.raises(BlockingIOError):
        dead_upstream.recv(4096)


def test_memory_does_not_grow_with_what_is_asked(
    pair: tuple[str, str], server: NameServer, dead_upstream: socket.socket
) -> None:
    """Each question another one: known names with padding, outside names that nobody answers, and rubbish."""

    def make(numbers: range) -> Iterator[bytes]:
        for number in numbers:
            yield from (padded(number), outside(number), rubbish(number))

    with udp_to(pair[0], seconds=20) as flood:
        pour(flood, make(range(2000)))
        before = resident(server)
        pour(flood, make(range(2000, 10000)))
        grown = resident(server) - before
    assert server.client.stats()["queries"] >= 30000
    # The questions alone were 20 MB.
    assert grown < 3 * MEGABYTE


def test_a_message_that_takes_seconds_to_make_sense_of_is_refused_at_sight(pair: tuple[str, str]) -> None:
    harmful, calm = pair
    question = b"\1a" * 126 + b"\0\0\1\0\1"
    record = b"\xc0\x0c\0\6\0\1\0\0\0\0\0\x18\xc0\x0c\xc0\x0c" + bytes(20)
    packet = b"\0\1\1\0\0\1" + struct.pack("!3H", 100, 0, 0) + question + record * 100
    with udp_to(harmful) as flood, udp_to(calm) as door:
        for _ in range(50):
            flood.send(packet)
        assert answer(door, LOCAL).answer
        assert dns.message.from_wire(flood.recv(65535)).rcode() == dns.rcode.FORMERR


def test_a_stream_that_announces_more_than_a_question_is_closed(pair: tuple[str, str]) -> None:
    with tcp_to(pair[0]) as stream:
        stream.sendall(struct.pack("!H", 65535))
        assert stream.recv(1) == b""


def test_replies_that_come_back_to_us_end_there(pair: tuple[str, str], server: NameServer) -> None:
    """Questions in the name of the name service itself: it would talk to itself for ever."""
    harmful, _ = pair
    malformed = LOCAL[:-1]
    with spoofer(harmful) as door, udp_to(harmful) as control:
        before = server.client.stats()["queries"]
        for packet in (LOCAL, malformed):
            door.sendto(forge("127.0.0.11", "127.0.0.11", 53, packet), ("127.0.0.11", 0))
        # Each question and the reply to it.
        wait_until(lambda: server.client.stats()["queries"] == before + 4)
        for _ in range(20):
            answer(control, LOCAL)
    assert server.client.stats()["queries"] == before + 24


def test_a_loop_of_servers_ends_at_the_share_of_the_sandbox(server: NameServer, sandbox: MakeSandbox) -> None:
    """The host's server passes on to the sandbox, whose name service asks the host's server."""
    name = sandbox("looping")
    server.resolv_conf.write_text(f"nameserver {FIRST}\n")
    server.client.update([holder("web", ipv4="10.1.0.2"), view(name, "a")], [])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream, udp_to(name) as door:
        upstream.bind((FIRST, 53))
        upstream.settimeout(20)
        door.send(outside(1))
        for _ in range(MOST_FORWARDED):
            door.send(upstream.recv(4096))
        refused = dns.message.from_wire(door.recv(4096))
        assert refused.rcode() == dns.rcode.REFUSED
        assert answer(door, LOCAL).answer
        assert server.client.stats()["forwarded"] == MOST_FORWARDED


def test_no_reply_leaves_the_sandbox_for_whose_name_a_question_bore(
    pair: tuple[str, str], server: NameServer
) -> None:
    harmful, _ = pair
    for words in (
        f"link add outer type veth peer name inner netns {harmful}",
        "link set outer up",
        f"-n {harmful} link set inner up",
        f"-n {harmful} address add 10.9.0.2/24 dev inner",
        f"-n {harmful} neighbour add 10.9.0.1 lladdr 02:00:00:00:00:01 dev inner",
        f"-n {harmful} route add default via 10.9.0.1",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as ear,
        spoofer(harmful) as door,
    ):
        ear.bind(("outer", 0x0800))
        ear.settimeout(20)
        before = server.client.stats()["queries"]
        for _ in range(20):
            door.sendto(forge("198.51.100.7", "127.0.0.11", 5353, LOCAL), ("127.0.0.11", 0))
        wait_until(lambda: server.client.stats()["queries"] == before + 20)
        with inside(harmful), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"last", ("198.51.100.7", 9))
        assert ear.recv(4096).endswith(b"last"), "a reply left the sandbox before it"


def spoofer(sandbox: str) -> socket.socket:
    with inside(sandbox):
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def forge(source: str, destination: str, port: int, payload: bytes) -> bytes:
    """An IPv4 packet with a UDP datagram without checksum; the kernel fills in that of the header."""
    size = 8 + len(payload)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, socket.IPPROTO_UDP, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return header + addresses + struct.pack("!HHHH", port, 53, size, 0) + payload
