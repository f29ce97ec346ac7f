"""Desired state: what the server tells a host there should be.

A `Row` is one object with the revision that last changed it; a `Delta` is some rows, a full one is all of them.
Rows may arrive late, twice or out of order: the one with the higher revision wins.
"""

from typing import Literal

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that travels: immutable, compared by value, unknown fields of a newer peer ignored."""


class Subnet(Struct, frozen=True, kw_only=True):
    cidr: str
    gateway: str | None = None
    """The bridge's own address inside `cidr`, without prefix length; None: the bridge has none."""


class Segment(Struct, frozen=True, kw_only=True):
    """One VXLAN of an overlay network (RFC 7348): an IPv4 subnet, and an IPv6 one when there are both."""

    vni: int
    bridge: str
    """Name of its bridge device on every host."""
    tunnel: str
    """Name of its VXLAN device on every host."""
    subnets: tuple[Subnet, ...] = ()


class Network(Struct, frozen=True, kw_only=True, tag_field="kind", tag="network"):
    id: str
    name: str
    driver: str
    """bridge, overlay, macvlan, host or null (what the host builds; `scope` and labels stay on the server)."""
    device: str = ""
    """bridge: name of the bridge device; macvlan: name of the parent link; empty for the other drivers."""
    segments: tuple[Segment, ...] = ()
    """Of an overlay; an endpoint is on the segment that contains its address."""
    advertise: str = ""
    """Of an overlay: this host's end of its tunnels."""
    default: bool = False
    """The predefined `bridge`: no name service, legacy links."""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    mtu: int = 0
    """Bytes; 0 leaves the kernel's 1500, or what the parent link has. An overlay always has one."""
    subnets: tuple[Subnet, ...] = ()
    """All of them, also those that segments have."""
    binding: str = ""
    """Of a bridge: the host's IPv4 address of published ports for which none is named; empty: all of them."""


class Resolver(Struct, frozen=True, kw_only=True):
    """What a person wants in the resolv.conf of a container; what is empty is the host's."""

    servers: tuple[str, ...] = ()
    """Asked for unknown names: by our name service where there is one, else by the container itself."""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


Protocol = Literal["tcp", "udp"]


class Publish(Struct, frozen=True, kw_only=True):
    """A port of a container that its host offers under an address and a port of its own."""

    protocol: Protocol
    port: int
    """Inside the container."""
    host_port: int
    address: str = ""
    """Of the host; 0.0.0.0 and :: are all of a family. Empty: what the network says, else all."""


class RestartPolicy(Struct, frozen=True, kw_only=True):
    """Whether the host begins a process again that has ended by itself."""

    name: Literal["no", "on-failure", "always", "unless-stopped"] = "no"
    limit: int = 0
    """Of `on-failure`: how often; 0: without end."""


class Container(Struct, frozen=True, kw_only=True, tag_field="kind", tag="container"):
    id: str
    name: str
    """Also the name of the network namespace."""
    hostname: str
    running: bool = False
    host_network: bool = False
    """The container shares the host's namespace; it has no sandbox of its own."""
    incarnation: int = 0
    """Raised at each start: a sandbox or process of an older incarnation is replaced."""
    command: tuple[str, ...] = ()
    """argv; empty: a namespace without a process."""
    env: dict[str, str] = {}
    stop_signal: str = "TERM"
    """What asks the process to end, by name or number."""
    stop_timeout: float = 10.0
    """Seconds between that and SIGKILL."""
    restart: RestartPolicy = RestartPolicy()
    image: str = ""
    """Id of the image, of this host's own store, whose root file system the process has; empty: the host's own root."""
    terminal: bool = False
    """The process has a terminal."""
    open_stdin: bool = False
    """Its standard input stays open, for whoever attaches."""
    working_dir: str = ""
    user: str = ""
    """`name` or `uid`, and `:group` behind it; only with an image. Empty: root."""
    resolver: Resolver = Resolver()
    extra_hosts: tuple[str, ...] = ()
    """More lines of /etc/hosts, each `name:address`."""
    sysctls: dict[str, str] = {}
    """Of its network namespace, such as net.ipv4.ip_forward; a container of the host network has none."""
    ports: tuple[Publish, ...] = ()
    """Published ports; see `contract.publishing`."""


class Link(Struct, frozen=True, kw_only=True):
    target: str
    """A container's name or id; it need not exist yet."""
    alias: str


class Endpoint(Struct, frozen=True, kw_only=True, tag_field="kind", tag="endpoint"):
    id: str
    container: str
    network: str
    interface: str = ""
    """Name inside the sandbox (eth0 …); empty on host and null networks, which have no interface."""
    mac: str = ""
    ipv4: str | None = None
    ipv6: str | None = None
    names: tuple[str, ...] = ()
    """What others on the network may call it, the first one answers PTR; empty on the default bridge."""
    links: tuple[Link, ...] = ()
    order: int = 0
    """Order of connection, over all hosts; the lower one holds a shared alias and the default route first."""
    priority: int = 0
    """Gateway priority: the higher one gets the default route."""


class Peer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="peer"):
    """A running endpoint of an overlay network, as the other hosts of that network must know it."""

    id: str
    """Of the endpoint."""
    network: str
    container: str
    host: str
    """Where it is: that host ignores the row, having the endpoint itself."""
    tunnel: str
    """The advertise address of its host: where its frames are sent."""
    mac: str
    ipv4: str | None = None
    ipv6: str | None = None
    names: tuple[str, ...] = ()
    """Empty when its host has been silent for long: reachable perhaps, but nobody is sent there by name."""
    order: int = 0


Spec = Network | Container | Endpoint | Peer
Kind = Literal["network", "container", "endpoint", "peer"]


class Row(Struct, frozen=True, kw_only=True):
    kind: Kind
    id: str
    revision: int
    spec: Spec | None = None
    """None: it shall not be there, and the host says when it is gone."""


class Delta(Struct, frozen=True, kw_only=True):
    host: str
    epoch: str
    """Changes when the server's database was restored: revisions of another epoch are not comparable."""
    feed: str = ""
    """Whose revisions these are: the host's own (empty), or those of the peers of the overlay network of this id."""
    base: int
    """The delta holds every change after this revision …"""
    revision: int
    """… up to this one."""
    full: bool = False
    """Everything there should be: what is not in it shall not be there."""
    rows: tuple[Row, ...] = ()
    awaited: str = ""
    """Somebody waits for the report on these rows under this name: it goes there too, see `broker.answer_key`."""
    request: str = ""
    """The id of the request that asked for it, for the logs: see `workers.tracing`."""


class HostState(Struct, frozen=True, kw_only=True):
    """Everything there should be on a host; also the format of the files that `python -m workers plan` reads."""

    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    peers: tuple[Peer, ...] = ()
