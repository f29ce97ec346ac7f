"""What a machine must have before it can be a host; each check is one sentence when it fails."""

import ctypes
import errno
import glob
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from workers.kernel.edge import Kernel
from workers.kernel.errors import KernelError
from workers.kernel.nftables import Ruleset

VXLAN_PORT = 4789
SMALLEST_MTU = 1330
"""Bytes of an underlay: IPv6 needs 1280 inside of a tunnel."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Unfit(Exception):
    """One sentence: what is missing, and what to do."""


def check_root() -> str:
    if os.geteuid() != 0:
        raise Unfit("Only root can change a machine's network: run this with sudo.")
    return "runs as root"


def check_kernel() -> str:
    """Make what networks are made of, in a namespace of its own that is gone at once."""
    made = []
    with _scratch_namespace(), IPRoute() as route:
        for kind, options in (
            ("bridge", {}),
            ("veth", {"peer": "check1"}),
            ("vxlan", {"vxlan_id": 4096, "vxlan_port": VXLAN_PORT, "vxlan_local": "127.0.0.1"}),
        ):
            try:
                route.link("add", kind=kind, ifname=f"check-{kind}", **options)
            except NetlinkError as error:
                raise Unfit(
                    f"The kernel makes no {kind} device ({os.strerror(error.code)}): load the module (modprobe {kind})."
                ) from error
            made.append(kind)
        try:
            Ruleset().close()
        except KernelError as error:
            raise Unfit(str(error)) from error
    return f"the kernel has {', '.join(made)} and nftables"


@contextmanager
def _scratch_namespace() -> Iterator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise Unfit(f"No network namespace can be made ({reason}): the worker needs CAP_SYS_ADMIN.")
        try:
            yield
        finally:
            _libc.setns(home, _CLONE_NEWNET)
    finally:
        os.close(home)


def check_runtime() -> str:
    """Only containers of images need it."""
    if shutil.which("crun") is None:
        return "no crun: containers of images will not run here until it is installed"
    return "crun is there for containers of images"


def check_port() -> str:
    """Whether tunnels can have their UDP port: a program that holds it would get their packets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", VXLAN_PORT))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _held_by_program():
                # The kernel's own VXLAN devices share it among themselves.
                return f"UDP port {VXLAN_PORT} is the kernel's"
            raise Unfit(
                f"UDP port {VXLAN_PORT}, which tunnels need, is in use by another program; end it (ss -ulpn)."
            ) from error
    return f"UDP port {VXLAN_PORT} is free"


def _held_by_program() -> bool:
    """Whether any process has a socket of that port open; those of VXLAN devices belong to none."""
    inodes = set()
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        with suppress(FileNotFoundError), open(name) as table:
            rows = [line.split() for line in list(table)[1:]]
            inodes |= {row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == VXLAN_PORT}
    links = {f"socket:[{inode}]" for inode in inodes}
    for descriptor in glob.iglob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor) in links:
                return True
    return False


def check_underlay(advertise: str) -> str:
    """The machine has the address at which others send to it, on a device that lets enough through."""
    kernel = Kernel()
    try:
        mtu = kernel.underlays().get(advertise)
    finally:
        kernel.close()
    if mtu is None:
        raise Unfit(
            f"No device of this machine has the advertise address {advertise}: "
            "add it, or change it with `netadmin host set NAME --advertise ADDRESS`."
        )
    if mtu < SMALLEST_MTU:
        raise Unfit(f"The device with {advertise} has an MTU of {mtu} bytes; tunnels need {SMALLEST_MTU}.")
    return f"{advertise} is here, with an MTU of {mtu} bytes"


def run_checks(checks: list[Callable[[], str]], say: Callable[[str], None]) -> list[str]:
    """Say what holds, and what does not; the sentences of all that failed."""
    failed = []
    for check in checks:
        try:
            say(f"  ok      {check()}")
        except Unfit as error:
            failed.append(str(error))
            say(f"  FAILED  {error}")
    return failed
