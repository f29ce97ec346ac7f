"""Two hosts for the kernel suite: the private one, and a second as a named namespace, joined by an underlay.

Both have an edge of their own; this thread is in the second host's namespace while it works there.
"""

import ctypes
import hashlib
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.kernel.scene import identity
from workers.contract.state import Container, Endpoint, Network, Peer, Segment, Spec, Subnet
from workers.kernel.edge import Kernel
from workers.planning.desired import Desired
from workers.planning.diff import Operation, diff
from workers.planning.objects import Objects
from workers.planning.render import Surroundings, render

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
ADDRESSES = {"near": "192.168.5.11", "far": "192.168.5.12"}


@contextmanager
def inside(path: str) -> Iterator[None]:
    """This thread is in the namespace at `path` for the time of the block."""
    home, there = (os.open(name, os.O_RDONLY | os.O_CLOEXEC) for name in ("/proc/thread-self/ns/net", path))
    try:
        assert _libc.setns(there, _CLONE_NEWNET) == 0
        yield
    finally:
        assert _libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


class HostOfFleet:
    """Makes its rows true as a worker does: what there is, is known from what was built."""

    def __init__(self, name: str, namespace: str) -> None:
        self.name, self.namespace = name, namespace
        self.specs: dict[tuple[str, str], Spec] = {}
        self.found: Objects = {}
        with inside(namespace):
            self.kernel = Kernel()
            self.kernel.ensure_table()

    def close(self) -> None:
        with inside(self.namespace):
            self.kernel.purge()
            self.kernel.close()

    def wanted(self) -> Objects:
        desired = Desired(self.specs.values())
        objects: Objects = {}
        for owner in desired.owners():
            objects |= render(desired, owner, Surroundings(host=self.name))
        return {key: item for key, item in objects.items() if key[0] not in ("name", "process", "files")}

    def put(self, *specs: Spec) -> None:
        for spec in specs:
            self.specs[type(spec).__name__, spec.id] = spec
        self.settle()

    def drop(self, *specs: Spec) -> None:
        for spec in specs:
            del self.specs[type(spec).__name__, spec.id]
        self.settle()

    def settle(self) -> list[Operation]:
        wanted = self.wanted()
        operations = diff(wanted, self.found)
        with inside(self.namespace):
            for operation in operations:
                self._carry_out(operation)
        self.found = wanted
        return operations

    def _carry_out(self, operation: Operation) -> None:
        before, after = operation.before, operation.after
        if after is None:
            assert before is not None
            self.kernel.remove(before)
        elif before is None:
            self.kernel.create(after)
        else:
            self.kernel.change(before, after)

    def observe(self) -> Objects:
        with inside(self.namespace):
            found = self.kernel.observe()
        # The names of namespaces are the machine's, whichever host a sandbox is of.
        known = {spec.id for spec in self.specs.values()}
        return {
            key: item
            for key, item in found.items()
            if key[0] != "files" and (key[0] not in ("sandbox", "routes") or key[1] in known)
        }


def overlay(number: int, host: str, *cidrs: str, internal: bool = False) -> Network:
    """The overlay as a host is told of it; VNI 4096 + number for its first subnet."""
    subnets = [Subnet(cidr=cidr, gateway=cidr.split("/")[0][:-1] + "1") for cidr in cidrs]
    first = 4096 + 10 * number
    return Network(
        id=identity(f"overlay{number}"),
        name=f"overlay{number}",
        driver="overlay",
        advertise=ADDRESSES[host],
        internal=internal,
        mtu=1450,
        subnets=tuple(subnets),
        segments=tuple(
            Segment(
                vni=first + position,
                bridge=f"ov-{first + position}",
                tunnel=f"vx-{first + position}",
                subnets=(subnet,),
            )
            for position, subnet in enumerate(subnets)
        ),
    )


def mac_of(ipv4: str) -> str:
    return "02:42:" + socket.inet_aton(ipv4).hex(":")


def _number(name: str, ipv4: str) -> str:
    """An endpoint's id; seven digits of it are its device's name."""
    return hashlib.sha256(f"{name} {ipv4}".encode()).hexdigest()


def container(name: str) -> Container:
    return Container(id=identity(name), name=name, hostname=name, running=True, incarnation=1)


def endpoint(name: str, network: Network, ipv4: str, interface: str = "eth0") -> Endpoint:
    return Endpoint(
        id=_number(name, ipv4),
        container=identity(name),
        network=network.id,
        interface=interface,
        mac=mac_of(ipv4),
        ipv4=ipv4,
        names=(name,),
    )


def peer(name: str, network: Network, ipv4: str, host: str) -> Peer:
    return Peer(
        id=_number(name, ipv4),
        network=network.id,
        container=identity(name),
        host=host,
        tunnel=ADDRESSES[host],
        mac=mac_of(ipv4),
        ipv4=ipv4,
        names=(name,),
    )


class Sniffer:
    """VXLAN frames on a link of this namespace: (VNI, inner destination MAC, inner type)."""

    def __init__(self, device: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self._socket.bind((device, 0))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def frames(self) -> Iterable[tuple[int, str, int]]:
        while True:
            try:
                data = self._socket.recv(65535)
            except BlockingIOError:
                return
            if data[12:14] == b"\x08\x00" and data[23] == 17 and data[36:38] == (4789).to_bytes(2, "big"):
                inner = data[50:]
                yield (
                    int.from_bytes(data[46:49], "big"),
                    inner[:6].hex(":"),
                    int.from_bytes(inner[12:14], "big"),
                )


def join(hosts: tuple[HostOfFleet, HostOfFleet], number: int, *cidrs: str, internal: bool = False) -> None:
    """Container aN on the near host with .2 of the first subnet, bN on the far one with .3 of the last."""
    near, far = hosts
    first, last = cidrs[0].split("/")[0][:-1] + "2", cidrs[-1].split("/")[0][:-1] + "3"
    for host, name, ipv4, other, other_ipv4 in (
        (near, f"a{number}", first, f"b{number}", last),
        (far, f"b{number}", last, f"a{number}", first),
    ):
        network = overlay(number, host.name, *cidrs, internal=internal)
        elsewhere = "far" if host is near else "near"
        host.put(network, peer(other, network, other_ipv4, elsewhere))
        host.put(container(name), endpoint(name, network, ipv4))
