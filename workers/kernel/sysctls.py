"""Kernel settings under /proc/sys/net of one namespace.

https://docs.kernel.org/networking/ip-sysctl.html
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import check_device

_ROOT = Path("/proc/sys/net")
_NAME = re.compile(r"net((?:\.[a-zA-Z0-9_-]+){2,6})\Z")


class Settings:
    """The settings of the namespace in which it was made, by descriptors of their folders; close it.

    All namespaces' settings have the same paths, and looking one up takes longer with each namespace (1 ms with a
    thousand); below a folder that is open it does not.
    """

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        for family in ("ipv4", "ipv6"):
            # A kernel may have no IPv6.
            with suppress(FileNotFoundError):
                self._folders[family] = os.open(_ROOT / family, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(KeyError):
            self._folders["conf"] = os.open(
                "conf", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folders["ipv6"]
            )

    def close(self) -> None:
        while self._folders:
            os.close(self._folders.popitem()[1])

    def __enter__(self) -> "Settings":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, folder: str, name: str, value: str) -> bool:
        """Set it, unless it has that value already; whether it had not."""
        # Reading first, since some writes take the lock of the whole network configuration even for nothing.
        # Position 0 both times: the kernel ignores writes elsewhere.
        with explained(f"The kernel setting {name} of {folder} cannot be set to {value!r}"):
            descriptor = os.open(name, os.O_RDWR | os.O_CLOEXEC, dir_fd=self._folders[folder])
            try:
                if os.pread(descriptor, 64, 0).decode().strip() == value:
                    return False
                os.pwrite(descriptor, value.encode(), 0)
                return True
            finally:
                os.close(descriptor)

    def _read(self, folder: str, name: str) -> str:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folders[folder])
        with open(descriptor) as file:
            return file.read().strip()

    def set_ipv6(self, device: str, on: bool) -> None:
        """IPv6 of one device: off, or on without the seconds of address detection and without outside routers."""
        check_device(device)
        if "conf" not in self._folders:
            if on:
                raise KernelError(
                    f"The device {device} cannot have an IPv6 address: this kernel has no IPv6."
                )
            return
        if on:
            self._write("conf", f"{device}/accept_dad", "0")
            self._write("conf", f"{device}/accept_ra", "0")
        self._write("conf", f"{device}/disable_ipv6", "0" if on else "1")

    def set_sandbox_defaults(self) -> None:
        """What a new namespace must not inherit from the host."""
        # A host that routes hands that on: a container on two networks would join what isolation keeps apart.
        self._write("ipv4", "ip_forward", "0")
        # ping without privileges, as in any container.
        self._write("ipv4", "ping_group_range", "0\t2147483647")
        # Interfaces are born without IPv6, and those that shall have it are given it: switched off afterwards, each
        # would have joined the network's multicast meanwhile, which costs with every port there.
        if "conf" in self._folders:
            self._write("conf", "default/disable_ipv6", "1")
            # Handed on only by hosts that were told to: net.core.devconf_inherit_init_net.
            self._write("conf", "all/forwarding", "0")

    def enable_forwarding(self, ipv6: bool) -> bool:
        """Let the host route, for all its interfaces: not all kernels have a narrower switch for IPv6.

        Whether it did not."""
        changed = self._write("ipv4", "ip_forward", "1")
        if not ipv6:
            return changed
        if "conf" not in self._folders:
            raise KernelError("The network cannot have IPv6: this kernel has none.")
        if self._read("conf", "all/forwarding") == "1":
            return changed
        # A router ignores advertisements at accept_ra=1: the host would lose its own default route. 2 keeps it.
        for device in os.listdir(_ROOT / "ipv6/conf"):
            if self._read("conf", f"{device}/accept_ra") == "1":
                self._write("conf", f"{device}/accept_ra", "2")
        return self._write("conf", "all/forwarding", "1")


def set_sysctls(values: Iterable[tuple[str, str]]) -> None:
    """Settings of the namespace that the calling thread is in, by their full names, as a person asked for them.

    What the kernel keeps otherwise than it was asked to (it takes 0x10 and says 16) is an error: nobody could tell
    it from one that somebody changed.
    """
    for name, value in values:
        path = _path(name)
        with explained(f"The sysctl {name} of the container cannot be set to {value!r}"):
            path.write_text(value)
            kept = " ".join(path.read_text().split())
        if kept != value:
            raise KernelError(f"The sysctl {name} was set to {value!r}, of which the kernel made {kept!r}.")


def read_sysctls(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(name, value with single spaces) of those that can be read in the calling thread's namespace."""
    found = []
    for name in names:
        with suppress(OSError):
            found.append((name, " ".join(_path(name).read_text().split())))
    return tuple(found)


def _path(name: str) -> Path:
    """A name is a path: nothing in it may lead elsewhere."""
    match = _NAME.match(name)
    if match is None:
        raise KernelError(f"{name!r} is not the name of a sysctl of a network namespace (net.…).")
    return _ROOT.joinpath(*match[1][1:].split("."))


def require_bridge_filter() -> None:
    """Raise where bridged frames cannot be shown to the firewall."""
    if not (_ROOT / "bridge").exists():
        raise KernelError(
            "Traffic inside one network cannot be blocked (icc=false): load the kernel module br_netfilter."
        )
