"""Kernel-side objects: what planning asks for, what the kernel edge builds and finds. Pure data.

Each object has a `key` (kind, id) that is stable while its content changes. Desired and observed are both
`dict[Key, KernelObject]`; equal content means nothing to do.
"""

from typing import ClassVar

from workers.contract.names import Holder, View
from workers.contract.publishing import ALL4, ALL6, Binding
from workers.contract.state import RestartPolicy, Struct

Key = tuple[str, str]
FIREWALL = "firewall"
"""Where elements are, as notices of the kernel call it; other places are names of devices and of sandboxes."""


class Element(Struct, frozen=True, kw_only=True):
    """One element of a set in our nftables table."""

    kind: ClassVar[str] = "element"
    set: str
    value: str
    """nft syntax, made of validated parts only: `"br-0123" . 10.1.0.2 . 10.1.0.3`."""

    @property
    def key(self) -> Key:
        return (self.kind, f"{self.set} {self.value}")


class Redirect(Struct, frozen=True, kw_only=True):
    """One element of a map in our nftables table: what comes for a port of the host goes to a container."""

    kind: ClassVar[str] = "redirect"
    map: str
    match: str
    """nft syntax: `tcp . 8080`, or with an address of the host before it."""
    target: str
    """`10.1.0.2 . 80`."""

    @property
    def key(self) -> Key:
        return (self.kind, f"{self.map} {self.match}")

    @property
    def listener(self) -> Key:
        """Key of what holds the port."""
        *address, protocol, port = self.match.split(" . ")
        every = ALL6 if self.map.endswith("6") else ALL4
        return (Listener.kind, f"{protocol} {address[0] if address else every} {port}")


class Listener(Struct, frozen=True, kw_only=True):
    """A port of the host, held by the port service, which also takes on what no redirect can."""

    kind: ClassVar[str] = "listener"
    container: str
    binding: Binding

    @property
    def key(self) -> Key:
        # By what can be held once: a port that goes from one container to another is never free between.
        return (self.kind, f"{self.binding.protocol} {self.binding.address} {self.binding.host_port}")


class Bridge(Struct, frozen=True, kw_only=True):
    kind: ClassVar[str] = "bridge"
    network: str
    """Its id; for a segment of an overlay with the VNI behind it, `<id>:<vni>`."""
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


class Tunnel(Struct, frozen=True, kw_only=True):
    """The VXLAN device of a segment: a port of its bridge, without learning and without a place to flood to."""

    kind: ClassVar[str] = "tunnel"
    segment: str
    """`<network id>:<vni>`."""
    device: str
    bridge: str
    """Device name of the bridge."""
    vni: int
    local: str
    """The host's own end: its advertise address."""
    mtu: int

    @property
    def key(self) -> Key:
        return (self.kind, self.segment)


class Remote(Struct, frozen=True, kw_only=True):
    """Who is on a segment on another host: entries of tunnel and bridge, so that nothing is asked or flooded."""

    kind: ClassVar[str] = "remote"
    bridge: str
    tunnel: str
    """Device names of the segment."""
    mac: str
    vtep: str
    """The other host's end of the tunnel."""
    addresses: tuple[str, ...]
    """Without prefix length, sorted."""

    @property
    def key(self) -> Key:
        # By what the kernel has one entry for: an endpoint that moved is the same entry with another end.
        return (self.kind, f"{self.tunnel} {self.mac}")


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


class Sysctls(Struct, frozen=True, kw_only=True):
    """Kernel settings of a sandbox that a person asked for."""

    kind: ClassVar[str] = "sysctls"
    container: str
    sandbox: str
    values: tuple[tuple[str, str], ...]
    """(name with dots, value with single spaces), sorted."""

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


class Macvlan(Struct, frozen=True, kw_only=True):
    """A child of a link of the host, as the sandbox's interface; it has no end on the host."""

    kind: ClassVar[str] = "macvlan"
    endpoint: str
    container: str
    sandbox: str
    parent: str
    interface: str
    mac: str
    mtu: int
    """Bytes; 0: the parent's."""
    addresses: tuple[str, ...]
    """With prefix length, sorted."""

    @property
    def key(self) -> Key:
        return (self.kind, self.endpoint)


class Routes(Struct, frozen=True, kw_only=True):
    """Routes of a sandbox: the default (gateway, interface) per family, None for none, and some to other subnets."""

    kind: ClassVar[str] = "routes"
    container: str
    sandbox: str
    ipv4: tuple[str, str] | None = None
    ipv6: tuple[str, str] | None = None
    others: tuple[tuple[str, str, str], ...] = ()
    """(CIDR, gateway, interface), sorted: the other segments of an overlay, by its own gateway."""

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
    terminal: bool = False
    """Its standard streams are a terminal."""
    open_stdin: bool = False
    """Its standard input is what those give it who attach; else there is none."""
    stop_signal: str = "TERM"
    restart: RestartPolicy = RestartPolicy()
    image: str = ""
    """Id of the image whose root file system it has; empty: the host's own, in which it is root, in its directory /."""
    working_dir: str = ""
    user: str = ""

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


KernelObject = (
    Element
    | Redirect
    | Listener
    | Bridge
    | Tunnel
    | Remote
    | Sandbox
    | Files
    | Sysctls
    | Port
    | Macvlan
    | Routes
    | Process
    | Name
)
Objects = dict[Key, KernelObject]


def see_process(container: str, incarnation: int) -> Process:
    """One that runs, as far as it can be seen: what it was started with cannot."""
    return Process(
        container=container,
        sandbox="",
        hostname="",
        incarnation=incarnation,
        command=(),
        env={},
        stop_timeout=0.0,
    )
