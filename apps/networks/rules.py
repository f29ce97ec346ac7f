"""Rules about networks and endpoints that need no database: names, options, addresses to MACs."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from apps.common.errors import Forbidden, Invalid
from apps.ipam.plan import SubnetRequest
from apps.networks.models import WIRED, Driver
from workers.contract.publishing import ALL4

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}\Z")
DEVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}\Z")
LINK_TARGET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}\Z")
DNS_NAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9_])?\Z")
MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}\Z")
PREDEFINED = {"bridge": Driver.BRIDGE, "host": Driver.HOST, "none": Driver.NULL}
RESERVED_NAMES = {*PREDEFINED, "default"}

BRIDGE_NAME = "com.docker.network.bridge.name"
ENABLE_ICC = "com.docker.network.bridge.enable_icc"
ENABLE_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
VNIS = "com.docker.network.driver.overlay.vxlanid_list"
PARENT = "parent"
MACVLAN_MODE = "macvlan_mode"
FIRST_VNI, LAST_VNI = 4096, 2**24 - 1
"""Given automatically; a person may also choose lower ones, from 1."""
MTU = "com.docker.network.driver.mtu"


def default_bridge_options(icc: bool) -> dict[str, str]:
    """Of the predefined bridge."""
    return {BRIDGE_NAME: "netadmin0"} | ({} if icc else {ENABLE_ICC: "false"})


@dataclass(frozen=True)
class BridgeOptions:
    """What the options of a bridge network mean; unknown options are kept, and mean nothing."""

    device: str
    icc: bool = True
    masquerade: bool = True
    mtu: int = 0
    binding: str = ""
    """The host's address of published ports for which none is named; empty: all."""


@dataclass(frozen=True)
class OverlayOptions:
    """What the options of an overlay network mean."""

    vnis: tuple[int, ...] = ()
    """One for each segment; empty: chosen."""
    masquerade: bool = True
    mtu: int = 0


@dataclass(frozen=True)
class MacvlanOptions:
    """What the options of a macvlan network mean."""

    parent: str
    mtu: int = 0


def check_network_name(name: str) -> None:
    if name in RESERVED_NAMES:
        raise Forbidden("predefined", f"{name!r} is the name of a predefined network.", "name")
    if not NAME.match(name):
        raise Invalid(
            "bad_name",
            f"{name!r} cannot be a network's name: use 1 to 128 letters, digits, '_', '.' or '-', "
            "beginning with a letter or digit.",
            "name",
        )


def check_driver(driver: str) -> None:
    if driver in WIRED:
        return
    if driver in (Driver.HOST, Driver.NULL):
        raise Forbidden(
            "one_instance", f"There is only one {driver!r} network on a host, and it exists.", "driver"
        )
    raise Invalid(
        "unknown_driver",
        f"There is no network driver named {driver!r}; use 'bridge', 'overlay' or 'macvlan'.",
        "driver",
    )


def _boolean(options: Mapping[str, str], key: str, default: bool) -> bool:
    text = options.get(key)
    if text is None:
        return default
    if text.lower() in ("true", "1", "t"):
        return True
    if text.lower() in ("false", "0", "f"):
        return False
    raise Invalid("bad_option", f"Option {key} must be true or false, not {text!r}.", "options")


def _mtu(options: Mapping[str, str]) -> int:
    text = options.get(MTU, "0")
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535 or 0 < int(text) < 68:
        raise Invalid(
            "bad_option", f"Option {MTU} must be a number from 68 to 65535, not {text!r}.", "options"
        )
    return int(text)


def read_bridge_options(network_id: str, options: Mapping[str, str]) -> BridgeOptions:
    """The options' meaning, or what is wrong with them."""
    device = options.get(BRIDGE_NAME, f"br-{network_id[:12]}")
    if not DEVICE.match(device):
        raise Invalid("bad_option", f"{device!r} cannot be the name of a bridge device.", "options")
    binding = parse_address(options.get(HOST_BINDING, ALL4), 4, "options")
    return BridgeOptions(
        device=device,
        icc=_boolean(options, ENABLE_ICC, True),
        masquerade=_boolean(options, ENABLE_MASQUERADE, True),
        mtu=_mtu(options),
        binding="" if binding == ALL4 else binding,
    )


def read_overlay_options(options: Mapping[str, str]) -> OverlayOptions:
    """The options' meaning, or what is wrong with them."""
    if "encrypted" in options:
        raise Invalid(
            "bad_option", "Encrypted overlay networks are not supported; leave the option out.", "options"
        )
    vnis = []
    for text in options[VNIS].split(",") if VNIS in options else ():
        if not re.fullmatch("[0-9]{1,8}", text) or not 0 < int(text) <= LAST_VNI:
            raise Invalid(
                "bad_option", f"Option {VNIS} must be numbers from 1 to {LAST_VNI}, not {text!r}.", "options"
            )
        vnis.append(int(text))
    if len(set(vnis)) < len(vnis):
        raise Invalid("bad_option", f"Option {VNIS} names a number twice.", "options")
    return OverlayOptions(
        vnis=tuple(vnis), masquerade=_boolean(options, ENABLE_MASQUERADE, True), mtu=_mtu(options)
    )


def read_macvlan_options(options: Mapping[str, str]) -> MacvlanOptions:
    """The options' meaning, or what is wrong with them."""
    parent = options.get(PARENT, "")
    if not parent:
        raise Invalid(
            "bad_option", "A macvlan network needs the host's link that it shares: -o parent=eth0.", "options"
        )
    if not DEVICE.match(parent) or parent == "lo":
        raise Invalid("bad_option", f"{parent!r} cannot be the parent of a macvlan network.", "options")
    if options.get(MACVLAN_MODE, "bridge") != "bridge":
        raise Invalid("bad_option", f"Option {MACVLAN_MODE} can only be 'bridge'.", "options")
    return MacvlanOptions(parent=parent, mtu=_mtu(options))


def parse_address(text: str, family: int, field: str) -> str:
    """`text` as an address of the family, in canonical spelling; none with a zone, which may hold any letters."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Invalid("bad_address", f"{text!r} is not an IPv{family} address.", field) from None
    if address.version != family or "%" in text:
        raise Invalid("bad_address", f"{text!r} is not an IPv{family} address.", field)
    return str(address)


def ask_subnet(
    cidr: str | None, gateway: str | None, ip_range: str | None, aux: Mapping[str, str]
) -> SubnetRequest:
    """A subnet as a person describes it, who need not say which family it is of."""
    telling = cidr or gateway or ip_range or ""
    return SubnetRequest(
        cidr=cidr, family=6 if ":" in telling else 4, gateway=gateway, ip_range=ip_range, aux=aux
    )


def read_link(text: str) -> tuple[str, str]:
    """CONTAINER:ALIAS as (container's name or id, alias); the container's name alone is its own alias."""
    target, colon, alias = text.partition(":")
    if not LINK_TARGET.match(target) or (colon and not alias):
        raise Invalid("bad_link", f"{text!r} is not a link; write CONTAINER:ALIAS.", "links")
    return target, alias or target


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str | None]) -> bool:
    """Whether every wanted key is there, with the wanted value; None: with any."""
    return all(key in labels and value in (None, labels[key]) for key, value in wanted.items())


def check_dns_name(name: str, field: str) -> None:
    if not DNS_NAME.match(name):
        raise Invalid(
            "bad_alias", f"{name!r} cannot be an alias: use 1 to 63 letters, digits, '-', '_' or '.'.", field
        )


def parse_mac(text: str) -> str:
    """`text` in lower case; multicast addresses cannot be an interface's own."""
    if not MAC.match(text):
        raise Invalid("bad_mac", f"{text!r} is not a MAC address such as 02:42:ac:19:00:02.", "mac_address")
    if int(text[:2], 16) & 1 or text.strip("0:") == "":
        raise Invalid(
            "bad_mac", f"The MAC address {text} is not one that an interface may have.", "mac_address"
        )
    return text.lower()
