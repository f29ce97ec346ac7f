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


class Network(Struct, frozen=True, kw_only=True, tag_field="kind", tag="network"):
    id: str
    name: str
    driver: str
    """bridge, host or null (what the host builds; `scope` and labels stay on the server)."""
    device: str = ""
    """Name of the bridge device; empty for drivers without one."""
    default: bool = False
    """The predefined `bridge`: no name service, legacy links."""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    mtu: int = 0
    """Bytes; 0 leaves the kernel's 1500."""
    subnets: tuple[Subnet, ...] = ()


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
    stop_timeout: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""


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
    """Order of connection on the host; the lower one holds a shared alias and the default route first."""
    priority: int = 0
    """Gateway priority: the higher one gets the default route."""


Spec = Network | Container | Endpoint
Kind = Literal["network", "container", "endpoint"]


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
    base: int
    """The delta holds every change after this revision …"""
    revision: int
    """… up to this one."""
    full: bool = False
    """Everything there should be: what is not in it shall not be there."""
    rows: tuple[Row, ...] = ()


class HostState(Struct, frozen=True, kw_only=True):
    """Everything there should be on a host; also the format of the files that `python -m workers plan` reads."""

    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
