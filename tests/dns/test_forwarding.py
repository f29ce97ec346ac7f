"""Outside names: passed to the host's servers, and what happens when those fail."""

import os
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import dns.flags
import dns.message
import dns.rcode
import pytest

from tests.dns.host import NameServer, dig, holder, tcp_to, udp_to, view
from tests.dns.upstream import OUTSIDE, Upstream

MakeSandbox = Callable[[str], str]


@pytest.fixture
def asker(server: NameServer, sandbox: MakeSandbox) -> str:
    name = sandbox("asker")
    server.client.update([view(name, "a")], [])
    return name


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_host_s_server_is_asked_by_the_asker_s_transport(
    asker: str, upstream: Upstream, transport: str
) -> None:
    reply = dig(asker, "Www.Example.test", "+tcp" if transport == "tcp" else "+notcp")
    assert (reply.status, reply.values) == ("NOERROR", [OUTSIDE])
    assert reply.answers[0].startswith("Www.Example.test. 300 A ")
    assert upstream.seen == [(transport, "Www.Example.test.", "A")]


@pytest.mark.parametrize("name", ["nosuch.example", "nosuch"])
def test_nxdomain_is_passed_on_and_the_second_server_not_asked(
    asker: str, upstream: Upstream, second: Upstream, name: str
) -> None:
    assert dig(asker, name).status == "NXDOMAIN"
    assert second.seen == []


@pytest.mark.parametrize("name", ["servfail.example.test", "refused.example.test"])
@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_a_server_that_fails_hands_over_to_the_next_and_then_it_is_servfail(
    asker: str, upstream: Upstream, second: Upstream, name: str, transport: str
) -> None:
    assert dig(asker, name, transport).status == "SERVFAIL"
    assert (len(upstream.seen), len(second.seen)) == (1, 1)


def test_a_silent_server_hands_over_before_the_asker_gives_up(
    asker: str, upstream: Upstream, second: Upstream
) -> None:
    before = time.monotonic()
    reply = dig(asker, "silent.example.test")
    elapsed = time.monotonic() - before
    assert (reply.status, len(upstream.seen), len(second.seen)) == ("SERVFAIL", 1, 1)
    assert 4 < elapsed < 5


def test_a_closed_port_hands_over_at_once(asker: str, second: Upstream) -> None:
    before = time.monotonic()
    assert dig(asker, "www.example.test").values == ["203.0.113.10"]
    assert dig(asker, "www.example.test", "+tcp").values == ["203.0.113.10"]
    assert time.monotonic() - before < 1


def test_no_server_at_all_is_servfail_at_once(asker: str, server: NameServer) -> None:
    for text in ("# none\n", None):
        if text is None:
            server.resolv_conf.unlink()
        else:
            server.resolv_conf.write_text(text)
        before = time.monotonic()
        assert dig(asker, "www.example.test").status == "SERVFAIL"
        assert time.monotonic() - before < 1


def test_a_sandbox_with_servers_of_its_own_asks_those_and_not_the_hosts(
    server: NameServer, sandbox: MakeSandbox, upstream: Upstream, second: Upstream
) -> None:
    name = sandbox("own")
    server.client.update([view(name, "a", servers=("127.0.0.54",))], [])
    assert dig(name, "www.example.test").values == ["203.0.113.10"]
    assert (len(upstream.seen), len(second.seen)) == (0, 1)


def test_a_sandbox_on_internal_networks_gets_servfail_and_nothing_leaves(
    server: NameServer, sandbox: MakeSandbox, upstream: Upstream
) -> None:
    name = sandbox("closed")
    server.client.update([view(name, "a", forward=False)], [])
    assert dig(name, "www.example.test").status == "SERVFAIL"
    assert dig(name, "www.example.test", "+tcp").status == "SERVFAIL"
    assert dig(name, "-x", "198.51.100.7").status == "SERVFAIL"
    assert upstream.seen == []


def test_a_changed_resolv_conf_is_read_again(
    asker: str, server: NameServer, upstream: Upstream, second: Upstream
) -> None:
    assert dig(asker, "www.example.test").values == [OUTSIDE]
    replacement = server.resolv_conf.with_suffix(".new")
    replacement.write_text("nameserver 127.0.0.54\n")
    os.replace(replacement, server.resolv_conf)
    assert dig(asker, "www.example.test").values == ["203.0.113.10"]


def test_replies_with_a_wrong_id_or_question_are_passed_over(asker: str, upstream: Upstream) -> None:
    assert dig(asker, "forged.example.test").values == [OUTSIDE]


def test_ids_and_ports_towards_the_server_are_not_the_asker_s_nor_in_sequence(
    asker: str, upstream: Upstream
) -> None:
    with udp_to(asker) as door:
        for number in range(20):
            door.send(dns.message.make_query("www.example.test", "A", id=number).to_wire())
            assert dns.message.from_wire(door.recv(4096)).id == number
    ids = [query.id for query in upstream.queries]
    steps = {after - before for before, after in pairwise(ids)}
    assert not set(ids) <= set(range(20))
    assert len(steps) > 10
    assert len(set(upstream.ports)) > 10


def test_dnssec_and_edns_bits_reach_the_server_untouched(asker: str, upstream: Upstream) -> None:
    query = dns.message.make_query(
        "www.example.test", "A", use_edns=0, ednsflags=dns.flags.DO, flags=dns.flags.RD | dns.flags.CD
    )
    with udp_to(asker) as door:
        door.send(query.to_wire())
        assert dns.message.from_wire(door.recv(4096)).edns == 0
    query.id = upstream.queries[0].id
    assert upstream.queries[0].to_wire() == query.to_wire()


def test_a_large_outside_answer_is_fetched_by_tcp(asker: str, upstream: Upstream) -> None:
    reply = dig(asker, "large.example.test", "TXT")
    assert len(reply.answers) == 20
    assert [transport for transport, _, _ in upstream.seen] == ["udp", "tcp"]


def test_a_server_that_sends_more_than_fits_is_cut_for_the_asker(asker: str, upstream: Upstream) -> None:
    reply = dig(asker, "rude.example.test", "TXT", "+noedns", "+ignore")
    assert ("tc" in reply.flags, reply.answers) == (True, ())
    assert reply.size <= 512
    assert len(dig(asker, "rude.example.test", "TXT", "+noedns").answers) == 20


def test_slow_outside_answers_hold_up_neither_each_other_nor_local_names(
    asker: str, server: NameServer, upstream: Upstream
) -> None:
    def ask(number: int) -> int:
        with udp_to(asker) as door:
            door.send(dns.message.make_query("slow.example.test", "A", id=number).to_wire())
            return dns.message.from_wire(door.recv(4096)).id

    server.client.update([holder("web", ipv4="10.1.0.2")], [])
    before = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        waiting = pool.map(ask, range(20))
        time.sleep(0.2)
        assert dig(asker, "web").values == ["10.1.0.2"]
        assert time.monotonic() - before < 0.8, "the outside answers are not slow enough to tell"
        assert list(waiting) == list(range(20))
    assert time.monotonic() - before < 3


def test_too_many_outside_questions_of_one_sandbox_are_refused(
    asker: str, server: NameServer, sandbox: MakeSandbox, upstream: Upstream
) -> None:
    other = sandbox("other")
    server.client.update([view(other, "a")], [])
    with udp_to(asker) as door:
        for number in range(300):
            door.send(dns.message.make_query("slow.example.test", "A", id=number).to_wire())
            if number % 50 == 0:
                time.sleep(0.01)
        codes = [dns.message.from_wire(door.recv(4096)).rcode() for _ in range(300 - 256)]
        assert set(codes) == {dns.rcode.REFUSED}
        with tcp_to(asker) as stream:
            packet = dns.message.make_query("www.example.test", "A").to_wire()
            stream.sendall(struct.pack("!H", len(packet)) + packet)
            assert dns.message.from_wire(stream.recv(4096)[2:]).rcode() == dns.rcode.REFUSED
        codes = [dns.message.from_wire(door.recv(4096)).rcode() for _ in range(256)]
        assert dns.rcode.REFUSED not in codes
    assert dig(other, "www.example.test").values == [OUTSIDE]


def test_counts_tell_forwarded_and_failed(asker: str, server: NameServer, upstream: Upstream) -> None:
    dig(asker, "www.example.test")
    dig(asker, "servfail.example.test")
    stats = server.client.stats()
    assert (stats["queries"], stats["forwarded"], stats["failures"]) == (2, 2, 1)
    timed = {outcome: sum(timing["counts"]) for outcome, timing in stats["timings"].items()}
    assert timed == {"local": 0, "forwarded": 1, "failed": 1, "malformed": 0}
