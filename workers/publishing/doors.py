"""Opening a port of the host."""

import errno
import os
import socket

from workers.contract.publishing import ALL6, Binding

IP_PKTINFO = 8
"""linux/in.h; the module `socket` has no name for it before Python 3.14."""


class Refused(Exception):
    """The port cannot be had; the text is a sentence."""


def open_door(binding: Binding) -> socket.socket | None:
    """The socket that holds the port; None where the kernel has no IPv6, so that there is nothing to hold."""
    stream = binding.protocol == "tcp"
    family = socket.AF_INET6 if ":" in binding.address else socket.AF_INET
    try:
        door = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT and binding.address == ALL6:
            return None
        raise _refusal(binding, error) from error
    try:
        door.setblocking(False)
        if family == socket.AF_INET6:
            # 0.0.0.0 is held by itself, and may be another container's.
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if stream:
            # Connections that ended a moment ago must not keep the port; with UDP it would let others share it.
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            door.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        door.bind((binding.address, binding.host_port))
        if stream:
            door.listen(4096)
    except OSError as error:
        door.close()
        raise _refusal(binding, error) from error
    return door


def _refusal(binding: Binding, error: OSError) -> Refused:
    address = f"[{binding.address}]" if ":" in binding.address else binding.address
    begin = f"Bind for {address}:{binding.host_port} failed: "
    if error.errno == errno.EADDRINUSE:
        flag = "t" if binding.protocol == "tcp" else "u"
        return Refused(
            f"{begin}port is already allocated ({binding.protocol}) to another program of this host: "
            f"end that one (ss -l{flag}np), or publish under another port."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Refused(f"{begin}this host does not have the address {binding.address}.")
    return Refused(f"{begin}{os.strerror(error.errno or 0)}.")
