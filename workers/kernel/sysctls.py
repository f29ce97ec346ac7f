"""Kernel settings under /proc/sys/net of the namespace that the calling thread is in.

https://docs.kernel.org/networking/ip-sysctl.html
"""

import os
from pathlib import Path

from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import check_device

_ROOT = Path("/proc/sys/net")
_HAS_IPV6 = (_ROOT / "ipv6").exists()


def _read(path: Path) -> str:
    return path.read_text().strip()


def _write(path: Path, value: str) -> None:
    """Set it, unless it has that value already."""
    # One look-up of the path: it gets slower with each namespace, as all their settings have the same names.
    # Reading first, since some writes take the lock of the whole network configuration even for nothing.
    # Position 0 both times: the kernel ignores writes elsewhere.
    with explained(f"The kernel setting {path} cannot be set to {value!r}"):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.pread(descriptor, 64, 0).decode().strip() != value:
                os.pwrite(descriptor, value.encode(), 0)
        finally:
            os.close(descriptor)


def set_ipv6(device: str, on: bool) -> None:
    """IPv6 of one device: off, or on without the seconds of address detection and without outside routers."""
    folder = _ROOT / "ipv6/conf" / check_device(device)
    if not _HAS_IPV6:
        if on:
            raise KernelError(f"The device {device} cannot have an IPv6 address: this kernel has no IPv6.")
        return
    if on:
        _write(folder / "accept_dad", "0")
        _write(folder / "accept_ra", "0")
    _write(folder / "disable_ipv6", "0" if on else "1")


def set_sandbox_defaults() -> None:
    """What a new namespace must not inherit from the host."""
    # A host that routes hands that on: a container on two networks would join what isolation keeps apart.
    _write(_ROOT / "ipv4/ip_forward", "0")
    # ping without privileges, as in any container.
    _write(_ROOT / "ipv4/ping_group_range", "0\t2147483647")


def enable_forwarding(ipv6: bool) -> None:
    """Let the host route, for all its interfaces: not all kernels have a narrower switch for IPv6."""
    _write(_ROOT / "ipv4/ip_forward", "1")
    if not ipv6:
        return
    if not _HAS_IPV6:
        raise KernelError("The network cannot have IPv6: this kernel has none.")
    if _read(_ROOT / "ipv6/conf/all/forwarding") == "1":
        return
    # A router ignores advertisements at accept_ra=1: the host would lose its own default route. 2 keeps it.
    for setting in (_ROOT / "ipv6/conf").glob("*/accept_ra"):
        if _read(setting) == "1":
            _write(setting, "2")
    _write(_ROOT / "ipv6/conf/all/forwarding", "1")


def require_bridge_filter() -> None:
    """Raise where bridged frames cannot be shown to the firewall."""
    if not (_ROOT / "bridge").exists():
        raise KernelError(
            "Traffic inside one network cannot be blocked (icc=false): load the kernel module br_netfilter."
        )
