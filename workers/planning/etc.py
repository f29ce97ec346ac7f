"""Text of a sandbox's /etc files. Pure."""

import ipaddress
from collections.abc import Iterable

from workers.contract.state import Container, Endpoint, Resolver

RESOLVER = "127.0.0.11"
HOST_GATEWAY = "host-gateway"
"""In place of an address of an extra host: the host itself, as a container reaches it."""
LOCALHOST = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
HOSTS = Resolver()
"""Nothing of its own asked for."""
PUBLIC = ("8.8.8.8", "8.8.4.4")
"""Used when the host has no server that a sandbox could reach, as Docker does."""


def resolv_conf(of_host: str, *, served: bool, wanted: Resolver = HOSTS) -> str:
    """With our name service: its address, and the host's search list. Without: the host's file less loopback servers.
    What is in `wanted` takes the place of the host's lines of its kind; the search list `.` is none.

    `ndots:0` makes resolvers ask a name as it was typed first, so that a plain `container3` needs one query.
    """
    servers, kept, options = [], [], []
    for line in of_host.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "options":
            options += words[1:]
        elif words[0] in ("search", "domain"):
            kept.append(" ".join(words))
    if wanted.search:
        kept = [f"search {' '.join(wanted.search)}"] if wanted.search != (".",) else []
    options = list(wanted.options) or options
    if served:
        servers = [RESOLVER]
        if not any(option.startswith("ndots:") for option in options):
            options.append("ndots:0")
    elif wanted.servers:
        servers = list(wanted.servers)
    else:
        servers = [server for server in servers if not _loopback(server)] or list(PUBLIC)
    lines = [f"nameserver {server}" for server in servers] + kept
    if options:
        lines.append("options " + " ".join(options))
    return "\n".join(lines) + "\n"


def hosts(
    container: Container,
    endpoints: Iterable[Endpoint],
    links: Iterable[tuple[str, str, Container]],
    gateway: str = "",
) -> str:
    """Loopback names, lines that were asked for, those of legacy links (address, alias, target), and the container's
    own addresses. `gateway`: the host's address that `host-gateway` stands for."""
    lines = []
    for line in container.extra_hosts:
        name, _, address = line.partition(":")
        if address == HOST_GATEWAY:
            address = gateway
        if address:
            lines.append(f"{address}\t{name}")
    for address, alias, target in links:
        names = dict.fromkeys([alias, target.hostname, target.name])
        lines.append(f"{address}\t{' '.join(names)}")
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.order):
        own = [address for address in (endpoint.ipv4, endpoint.ipv6) if address]
        lines += [f"{address}\t{container.hostname}" for address in own]
    return LOCALHOST + "".join(f"{line}\n" for line in lines)


def _loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True
