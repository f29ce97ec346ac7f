"""A private host for tests: this process gets its own network and mount namespace.

Whatever a test builds (links, rules, named namespaces, files under /etc/netns) is invisible to the machine and
gone when the process ends. Needs root; without it the tests that ask for it are skipped, in CI they fail.
"""

import ctypes
import os
import subprocess

import pytest

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_private_host() -> None:
    """Move the calling (single-threaded) process into a fresh host: lo up, /run/netns and /etc/netns empty."""
    _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare")
    _check(_libc.mount(None, b"/", None, MS_REC_PRIVATE, None), "make / private")
    for folder in ("/run/netns", "/etc/netns"):
        os.makedirs(folder, exist_ok=True)
        _check(_libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, None), f"mount {folder}")
    # sysfs shows the network of the process that mounted it.
    _check(_libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None), "mount /sys")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def require_root() -> None:
    """Skip without root, except in CI, where a missing right is a failure."""
    if os.geteuid() == 0:
        return
    if os.environ.get("CI"):
        pytest.fail("CI must run the kernel suites as root", pytrace=False)
    pytest.skip("needs root: network namespaces", allow_module_level=True)
