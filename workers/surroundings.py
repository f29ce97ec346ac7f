"""What a host is, apart from what is ours: facts for the server, and the files that sandboxes are made after."""

import platform
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workers import __version__
from workers.contract.reports import Facts
from workers.kernel.edge import Kernel

RESOLV_CONF = Path("/etc/resolv.conf")
# linux/rtnetlink.h: RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE
ROUTE_GROUPS = 0x40 | 0x400
QUIET = 0.05
"""Seconds without another notice after which a burst of route changes is over."""


def read_resolv_conf() -> str:
    try:
        return RESOLV_CONF.read_text(errors="replace")
    except OSError:
        return ""


def read_facts(kernel: Kernel) -> Facts:
    servers = [
        words[1].partition("%")[0]
        for line in read_resolv_conf().splitlines()
        if (words := line.split())[:1] == ["nameserver"] and len(words) > 1
    ]
    return Facts(
        version=__version__,
        kernel=platform.release(),
        routes=kernel.foreign_routes(),
        nameservers=tuple(servers),
        underlays=kernel.underlays(),
    )


def watch_routes(told: Callable[[], None]) -> None:
    """Call `told` whenever a burst of changes of the host's routes is over; for ever."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as notices:
        notices.bind((0, ROUTE_GROUPS))
        while True:
            notices.settimeout(None)
            with suppress(OSError):  # ENOBUFS: some were lost, which says as much as that some came.
                notices.recv(65536)
            notices.settimeout(QUIET)
            with suppress(TimeoutError, OSError):
                while notices.recv(65536):
                    pass
            told()
