"""Flows of UDP that the kernel remembers (conntrack): they would go on to where a port led before."""

import socket
from collections.abc import Iterable

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from workers.kernel.errors import explained
from workers.planning.objects import Redirect


def forget_flows(changed: Iterable[Redirect]) -> None:
    """Drop the flows to these ports of the host. They are looked for among all of the host, so only where UDP is
    published: a connection of TCP begins anew with its own first packet."""
    ports = {4: set[int](), 6: set[int]()}
    for redirect in changed:
        *_, protocol, port = redirect.match.split(" . ")
        if protocol == "udp":
            ports[6 if redirect.map.endswith("6") else 4].add(int(port))
    for family, wanted in ports.items():
        if wanted:
            with explained("What the kernel remembers of a published port cannot be dropped"):
                _forget(socket.AF_INET6 if family == 6 else socket.AF_INET, wanted)


def _forget(family: int, ports: set[int]) -> None:
    suffix = "V6" if family == socket.AF_INET6 else "V4"
    table = NFCTSocket(nfgen_family=family)
    try:
        for entry in list(table.dump()):
            origin = entry.get_attr("CTA_TUPLE_ORIG")
            addresses, ends = origin.get_attr("CTA_TUPLE_IP"), origin.get_attr("CTA_TUPLE_PROTO")
            if ends.get_attr("CTA_PROTO_NUM") != socket.IPPROTO_UDP:
                continue
            if ends.get_attr("CTA_PROTO_DST_PORT") not in ports:
                continue
            flow = NFCTAttrTuple(
                family=family,
                saddr=addresses.get_attr(f"CTA_IP_{suffix}_SRC"),
                daddr=addresses.get_attr(f"CTA_IP_{suffix}_DST"),
                proto=socket.IPPROTO_UDP,
                sport=ends.get_attr("CTA_PROTO_SRC_PORT"),
                dport=ends.get_attr("CTA_PROTO_DST_PORT"),
            )
            try:
                table.entry("del", tuple_orig=flow)
            except NetlinkError:
                # Ended by itself meanwhile.
                continue
    finally:
        table.close()
