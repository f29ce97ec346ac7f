"""How the edge knows what is ours: aliases that the kernel keeps. And names safe in paths and rules."""

import re

from workers.kernel.errors import KernelError

# The alias can only be set after a device was created. A device of these groups without an alias is therefore
# one of ours that was never finished, not somebody else's. Groups also let many devices go in one request.
PORT_GROUP = 0x6E61646D
BRIDGE_GROUP = PORT_GROUP + 1
LEAVING_GROUP = PORT_GROUP + 2
"""Ports on their way out are gathered here: the kernel waits once for a group instead of once for each."""
TUNNEL_GROUP = PORT_GROUP + 3

_BRIDGE = re.compile(r"netadmin bridge (\S+)\Z")
_TUNNEL = re.compile(r"netadmin tunnel (\S+)\Z")
_PORT = re.compile(r"netadmin port (\S+) (\S+)\Z")
_MACVLAN = re.compile(r"netadmin macvlan (\S+) (\S+) (\d+)\Z")
_SANDBOX = re.compile(r"netadmin sandbox (\S+) (\d+)\Z")
_IDENTITY = re.compile(r"[A-Za-z0-9_.:-]{1,80}\Z")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,253}\Z")
# These are no devices under /proc/sys/net/*/conf, they are all of them.
_RESERVED_DEVICES = frozenset({".", "..", "all", "default"})


def _identity(value: str) -> str:
    if not _IDENTITY.match(value):
        raise KernelError(f"The id {value!r} is not usable: at most 80 letters, digits and _.:- are.")
    return value


def bridge_alias(network: str) -> str:
    return f"netadmin bridge {_identity(network)}"


def port_alias(endpoint: str, container: str) -> str:
    return f"netadmin port {_identity(endpoint)} {_identity(container)}"


def sandbox_alias(container: str, incarnation: int) -> str:
    return f"netadmin sandbox {_identity(container)} {incarnation}"


def read_bridge(alias: str) -> str | None:
    """The network id of a bridge of ours."""
    match = _BRIDGE.match(alias)
    return match.group(1) if match else None


def tunnel_alias(segment: str) -> str:
    return f"netadmin tunnel {_identity(segment)}"


def read_tunnel(alias: str) -> str | None:
    """The segment (`<network id>:<vni>`) of a tunnel of ours."""
    match = _TUNNEL.match(alias)
    return match.group(1) if match else None


def read_port(alias: str) -> tuple[str, str] | None:
    """(endpoint id, container id) of a host end of ours."""
    match = _PORT.match(alias)
    return (match.group(1), match.group(2)) if match else None


def macvlan_alias(endpoint: str, container: str, mtu: int) -> str:
    """`mtu` as it was asked for: an MTU that equals the parent's does not tell whether it was."""
    return f"netadmin macvlan {_identity(endpoint)} {_identity(container)} {mtu}"


def read_macvlan(alias: str) -> tuple[str, str, int] | None:
    """(endpoint id, container id, MTU that was asked for or 0) of a macvlan child of ours."""
    match = _MACVLAN.match(alias)
    return (match.group(1), match.group(2), int(match.group(3))) if match else None


def read_sandbox(alias: str) -> tuple[str, int] | None:
    """(container id, incarnation) of a sandbox of ours."""
    match = _SANDBOX.match(alias)
    return (match.group(1), int(match.group(2))) if match else None


def check_device(name: str) -> str:
    """A device name that is safe as a part of a path and of a rule."""
    if not _DEVICE.match(name) or name in _RESERVED_DEVICES:
        raise KernelError(
            f"The device name {name!r} is not usable: at most 15 letters, digits and _.- are, "
            "but not 'all' or 'default'."
        )
    return name


def check_namespace(name: str) -> str:
    """A namespace name that is safe as a part of a path."""
    if not _NAMESPACE.match(name):
        raise KernelError(
            f"The namespace name {name!r} is not usable: "
            "letters, digits and _.- are, beginning with a letter or digit."
        )
    return name
