"""A name server for the private host's loopback: it knows some names and misbehaves for others."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

OUTSIDE = "203.0.113.9"
REVERSED = "9.113.0.203.in-addr.arpa."


@contextmanager
def outside(address: str, folder: Path) -> Iterator[None]:
    """The name server that the private host's /etc/resolv.conf names."""
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text(f"nameserver {address}\n")
    subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
    upstream = Upstream(address)
    yield
    upstream.close()


class Upstream:
    """Answers on `address`:53 from a thread per transport; `seen` lists (transport, name as asked, type)."""

    def __init__(self, address: str, answer: str = OUTSIDE) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.ports: list[int] = []
        self.queries: list[dns.message.Message] = []
        self._answer = answer
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for door in (self._udp, self._tcp):
            door.bind((address, 53))
        self._tcp.listen()
        self._threads = [
            threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        # An empty datagram ends the UDP thread, which nothing else would wake.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.sendto(b"", self._udp.getsockname())
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                packet, client = self._udp.recvfrom(65535)
            except OSError:
                return
            if not packet:
                return
            self.ports.append(client[1])
            answer = partial(self._reply, packet, "udp", partial(self._send_udp, client))
            threading.Thread(target=answer, daemon=True).start()

    def _send_udp(self, client: tuple[str, int], reply: bytes) -> None:
        self._udp.sendto(reply, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection:
                size = int.from_bytes(connection.recv(2), "big")
                packet = connection.recv(size)
                self._reply(packet, "tcp", partial(_send_tcp, connection))

    def _reply(self, packet: bytes, transport: str, send: Callable[[bytes], object]) -> None:
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.to_text()
        self.seen.append((transport, name, question.rdtype.name))
        self.queries.append(query)
        first = name.split(".")[0].lower()
        if first == "silent":
            return
        if first == "slow":
            time.sleep(0.8)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        failure = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED}.get(first)
        if failure:
            reply.set_rcode(failure)
        elif self._knows(name.lower()):
            self._fill(reply, question, first)
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if first == "forged":
            for forgery in self._forge(query):
                send(forgery)
        limit = 65535 if transport == "tcp" or first == "rude" else max(query.payload, 512)
        send(self._cut(reply, limit))

    def _knows(self, name: str) -> bool:
        return (name.endswith("example.test.") and not name.startswith("nosuch.")) or name == REVERSED

    def _fill(self, reply: dns.message.Message, question: dns.rrset.RRset, first: str) -> None:
        kind = question.rdtype.name
        if kind == "A":
            values = [self._answer]
        elif kind == "PTR":
            values = ["www.example.test."]
        elif kind == "TXT":
            values = [f'"{number:0200d}"' for number in range(20 if first in ("large", "rude") else 1)]
        else:
            return
        reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *values))

    def _cut(self, reply: dns.message.Message, limit: int) -> bytes:
        wire = reply.to_wire(max_size=65535)
        if len(wire) > limit:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        return wire

    def _forge(self, query: dns.message.Message) -> list[bytes]:
        """The wrong id, then another question: both must be passed over."""
        lie = dns.message.make_response(query)
        lie.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "A", "192.0.2.66"))
        lie.id = query.id ^ 1
        other = dns.message.make_response(dns.message.make_query("other.example.test", "A", id=query.id))
        other.answer.append(dns.rrset.from_text("other.example.test.", 300, "IN", "A", "192.0.2.66"))
        return [lie.to_wire(), other.to_wire()]


def _send_tcp(connection: socket.socket, reply: bytes) -> None:
    connection.sendall(len(reply).to_bytes(2, "big") + reply)
