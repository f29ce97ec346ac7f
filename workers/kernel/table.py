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
}
"""bridges: ours, closed to all that is outside and to each other. same: pairs of ours that may talk,
a bridge with itself where icc is on. internal: no way out. masquerade4, masquerade6: subnets that leave under
the host's address. links: bridge, source, destination that pass although icc is off."""

_INTERFACE = r'"[A-Za-z0-9_.-]{1,15}"'
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
VALUES: Mapping[str, re.Pattern[str]] = {
    "bridges": re.compile(_INTERFACE),
    "same": re.compile(rf"{_INTERFACE} \. {_INTERFACE}"),
    "internal": re.compile(_INTERFACE),
    "masquerade4": re.compile(rf"{_IPV4}/\d{{1,2}}"),
    "masquerade6": re.compile(r"[0-9a-f:]{2,39}/\d{1,3}"),
    "links": re.compile(rf"{_INTERFACE} \. {_IPV4} \. {_IPV4}"),
}
"""The one way to write an element of each set; nothing else enters a rule."""


def is_ipv4(text: str) -> bool:
    return re.fullmatch(_IPV4, text) is not None


# Replies first: every other packet is then the first of its connection. On a link the device it leaves by is
# not looked at, since both addresses belong to the bridge's own subnet.
_CHAINS = """
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname . oifname @same accept
        iifname . ip saddr . ip daddr @links accept
        iifname @internal drop
        oifname @internal drop
        oifname @bridges drop
    }
    chain input {
        type filter hook input priority filter; policy accept;
        iifname @internal fib daddr . iif type != { local, broadcast, multicast } drop
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "lo" accept
        ip saddr @masquerade4 oifname != @bridges masquerade
        ip6 saddr @masquerade6 oifname != @bridges masquerade
    }
"""
_BODY = "".join(f"    set {name} {{ {kind} }}\n" for name, kind in SETS.items()) + _CHAINS

VERSION_CHAIN = f"text_{hashlib.sha256(_BODY.encode()).hexdigest()[:12]}"
"""An empty chain without a hook whose name tells which text the table was made from."""

TEXT = f"table {FAMILY_AND_NAME} {{\n{_BODY}    chain {VERSION_CHAIN} {{\n    }}\n}}\n"
# Deleting needs it to be there, and adding what is there already is no error.
DELETE = f"add table {FAMILY_AND_NAME}\ndelete table {FAMILY_AND_NAME}\n"
