"""Kernel-side objects: what planning asks for, what the kernel edge builds and finds. Pure data.

Each object has a `key` (kind, id) that is stable while its content changes. Desired and observed are both
`dict[Key, KernelObject]`; equal content means nothing to do.
"""

from typing import ClassVar

from workers.contract.names import Holder, View
from workers.contract.state import Struct

Key = tuple[str, str]


class Element(Struct, frozen=True, kw_only=True):
    """One element of a set in our nftables table."""

    kind: ClassVar[str] = "element"
    set: str
    value: str
    """nft syntax, made of validated parts only: `"br-0123" . 10.1.0.2 . 10.1.0.3`."""

    @property
    def key(self) -> Key:
        return (self.kind, f"{self.set} {self.value}")


class Bridge(Struct, frozen=True, kw_only=True):
    kind: ClassVar[str] = "bridge"
    network: str
    device: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    """With prefix length, sorted."""
    filtered: bool
    """Bridged frames pass the firewall (icc=false): the bridge's own nf_call_iptables."""

    @property
    def key(self) -> Key:
        return (self.kind, self.network)


class Sandbox(Struct, frozen=True, kw_only=True):
    kind: ClassVar[str] = "sandbox"
    container: str
    name: str
    incarnation: int

    @property
    def key(self) -> Key:
        return (self.kind, self.container)


class Files(Struct, frozen=True, kw_only=True):
    """The sandbox's own /etc files, by which stock `ip netns exec` finds them too."""

    kind: ClassVar[str] = "files"
    container: str
    sandbox: str
    resolv_conf: str
    hosts: str
    hostname: str

    @property
    def key(self) -> Key:
        return (self.kind, self.container)


class Port(Struct, frozen=True, kw_only=True):
    """A veth pair: one end on the bridge, the other the sandbox's interface."""

    kind: ClassVar[str] = "port"
    endpoint: str
    container: str
    sandbox: str
    device: str
    """Host end, `veth` and 7 hex digits."""
    bridge: str
    """Device name of the bridge."""
    interface: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    """With prefix length, sorted; no IPv6 address: IPv6 is off on both ends."""
    gateways: tuple[tuple[str, str], ...] = ()
    """(address, MAC) of the bridge: permanent neighbours, since learnt ones share one small table."""

    @property
    def key(self) -> Key:
        return (self.kind, self.endpoint)


class Routes(Struct, frozen=True, kw_only=True):
    """Default routes of a sandbox: (gateway, interface) per family, None for none."""

    kind: ClassVar[str] = "routes"
    container: str
    sandbox: str
    ipv4: tuple[str, str] | None = None
    ipv6: tuple[str, str] | None = None

    @property
    def key(self) -> Key:
        return (self.kind, self.container)


class Process(Struct, frozen=True, kw_only=True):
    """The supervised process of a container."""

    kind: ClassVar[str] = "process"
    container: str
    sandbox: str
    """Empty: the host's own namespace."""
    hostname: str
    incarnation: int
    command: tuple[str, ...]
    env: dict[str, str]
    stop_timeout: float

    @property
    def key(self) -> Key:
        return (self.kind, self.container)


class Name(Struct, frozen=True, kw_only=True):
    """A name-service entry; the DNS server is told of it."""

    kind: ClassVar[str] = "name"
    entry: Holder | View

    @property
    def key(self) -> Key:
        if isinstance(self.entry, Holder):
            return (self.kind, f"holder {self.entry.endpoint}")
        return (self.kind, f"view {self.entry.container}")


KernelObject = Element | Bridge | Sandbox | Files | Port | Routes | Process | Name
Objects = dict[Key, KernelObject]
