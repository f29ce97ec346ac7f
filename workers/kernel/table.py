"""The text of our nftables table: constant, whatever the number of networks; what differs is in the sets.

One packet costs the same with one network or a thousand, and one change is one element.
"""

import hashlib
import re
from collections.abc import Mapping

FAMILY_AND_NAME = "inet netadmin"

SETS: Mapping[str, str] = {
    "bridges": "type ifname;",
    "same": "type ifname . ifname;",
    "internal": "type ifname;",
    "masquerade4": "type ipv4_addr; flags interval;",
    "masquerade6": "type ipv6_addr; flags interval;",
    "links": "type ifname . ipv4_addr . ipv4_addr;",
    "relayed": "type inet_proto . inet_service;",
}
"""bridges: ours, closed to all that is outside and to each other. same: pairs of ours that may talk,
a bridge with itself where icc is on. internal: no way out. masquerade4, masquerade6: subnets that leave under
the host's address. links: bridge, source, destination that pass although icc is off. relayed: published ports, which
the port service would take also those to a container who have no way out."""

MAPS: Mapping[str, str] = {
    "all4": "type inet_proto . inet_service : ipv4_addr . inet_service;",
    "all6": "type inet_proto . inet_service : ipv6_addr . inet_service;",
    "one4": "type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;",
    "one6": "type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service;",
}
"""Published ports: under every address of the host, or one of them, to a container's address and port."""

_INTERFACE = r'"[A-Za-z0-9_.-]{1,15}"'
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_IPV6 = r"[0-9a-f:]{2,39}"
_PORT = r"(?:tcp|udp) \. \d{1,5}"
VALUES: Mapping[str, re.Pattern[str]] = {
    "bridges": re.compile(_INTERFACE),
    "same": re.compile(rf"{_INTERFACE} \. {_INTERFACE}"),
    "internal": re.compile(_INTERFACE),
    "masquerade4": re.compile(rf"{_IPV4}/\d{{1,2}}"),
    "masquerade6": re.compile(rf"{_IPV6}/\d{{1,3}}"),
    "links": re.compile(rf"{_INTERFACE} \. {_IPV4} \. {_IPV4}"),
    "relayed": re.compile(_PORT),
    "all4": re.compile(rf"{_PORT} : {_IPV4} \. \d{{1,5}}"),
    "all6": re.compile(rf"{_PORT} : {_IPV6} \. \d{{1,5}}"),
    "one4": re.compile(rf"{_IPV4} \. {_PORT} : {_IPV4} \. \d{{1,5}}"),
    "one6": re.compile(rf"{_IPV6} \. {_PORT} : {_IPV6} \. \d{{1,5}}"),
}
"""The one way to write an element of each set or map; nothing else enters a rule."""


def has_interfaces(name: str) -> bool:
    """Whether elements of the set hold names of interfaces, which are quoted."""
    return "ifname" in SETS.get(name, "")


def is_ipv4(text: str) -> bool:
    return re.fullmatch(_IPV4, text) is not None


# Replies first: every other packet is then the first of its connection. On a link the device it leaves by is
# not looked at, since both addresses belong to the bridge's own subnet.
# Chains of nat see the first packet of a connection only. Loopback addresses are never redirected: the kernel would not
# take the replies, and before routing it does not know yet whether such a packet came from outside. Nor is what comes
# from our bridges: where bridged frames pass the firewall, a container that calls its own port would be sent back out
# of the bridge port it came by, which a bridge does not do. The port service takes these on.
_CHAINS = """
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname . oifname @same accept
        iifname . ip saddr . ip daddr @links accept
        iifname @internal drop
        oifname @internal drop
        ct status dnat accept
        oifname @bridges drop
    }
    chain input {
        type filter hook input priority filter; policy accept;
        iifname @internal meta l4proto { tcp, udp } meta l4proto . th dport @relayed drop
        iifname @internal fib daddr . iif type != { local, broadcast, multicast } drop
    }
    chain published {
        meta l4proto != { tcp, udp } return
        ip daddr 127.0.0.0/8 return
        fib daddr type != local return
        dnat ip to ip daddr . meta l4proto . th dport map @one4
        dnat ip to meta l4proto . th dport map @all4
        dnat ip6 to ip6 daddr . meta l4proto . th dport map @one6
        dnat ip6 to meta l4proto . th dport map @all6
    }
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname @bridges return
        jump published
    }
    chain output {
        type nat hook output priority -100; policy accept;
        ip6 daddr ::1 return
        jump published
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "lo" accept
        ip saddr @masquerade4 oifname != @bridges masquerade
        ip6 saddr @masquerade6 oifname != @bridges masquerade
    }
"""
_BODY = (
    "".join(f"    set {name} {{ {kind} }}\n" for name, kind in SETS.items())
    + "".join(f"    map {name} {{ {kind} }}\n" for name, kind in MAPS.items())
    + _CHAINS
)

VERSION_CHAIN = f"text_{hashlib.sha256(_BODY.encode()).hexdigest()[:12]}"
"""An empty chain without a hook whose name tells which text the table was made from."""

TEXT = f"table {FAMILY_AND_NAME} {{\n{_BODY}    chain {VERSION_CHAIN} {{\n    }}\n}}\n"
# Deleting needs it to be there, and adding what is there already is no error.
DELETE = f"add table {FAMILY_AND_NAME}\ndelete table {FAMILY_AND_NAME}\n"
