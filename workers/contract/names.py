"""What the DNS server of a host is told: who holds which names, and what each sandbox may see."""

from workers.contract.state import Link, Struct


class Holder(Struct, frozen=True, kw_only=True, tag_field="kind", tag="holder"):
    """One running endpoint that answers to names on its network."""

    endpoint: str
    container: str
    network: str
    names: tuple[str, ...]
    ipv4: str | None = None
    ipv6: str | None = None
    order: int = 0


class Attachment(Struct, frozen=True, kw_only=True):
    """One network that a sandbox is on."""

    network: str
    network_name: str
    links: tuple[Link, ...] = ()


class View(Struct, frozen=True, kw_only=True, tag_field="kind", tag="view"):
    """One sandbox in which 127.0.0.11 answers."""

    container: str
    sandbox: str
    """Name of the network namespace under /run/netns."""
    attachments: tuple[Attachment, ...] = ()
    """In the order in which networks are asked: gateway preference."""
    forward: bool = True
    """Unknown names go to the host's servers; False when every network is internal."""
    servers: tuple[str, ...] = ()
    """Addresses of servers that are asked in place of the host's."""


Entry = Holder | View
