"""What the kernel refused, as one sentence for a person; error numbers are translated nowhere else."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class KernelError(Exception):
    """One sentence: what is wrong and, where it can be said, what to do."""


class Stranded(SystemExit):
    """The thread cannot return to the host's own namespace: all it did next would hit the wrong one."""


_NOT_ALLOWED = (
    "the kernel does not allow it; the worker must run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN"
)
_REASONS: Mapping[int, str] = {
    errno.EPERM: _NOT_ALLOWED,
    errno.EACCES: _NOT_ALLOWED,
    errno.EROFS: "it is mounted read-only; the worker must be able to write to /proc/sys, /run and /etc",
    errno.EOPNOTSUPP: "this kernel was built without what it takes",
    errno.ENODEV: "the device is not there any more",
    errno.ENFILE: "the host has too many open files",
    errno.EMFILE: "the worker has too many open files; raise its limit (LimitNOFILE)",
    errno.ENOMEM: "the host has no memory left for it",
    errno.ENOBUFS: "the host has no memory left for it",
    errno.ENETUNREACH: "the gateway is not reachable over any interface",
    errno.EHOSTUNREACH: "the gateway is not reachable over any interface",
    errno.ENOSPC: "the disk or a limit of the kernel is full",
}


@contextmanager
def explained(doing: str, special: Mapping[int, str] | None = None) -> Iterator[None]:
    """Turn an error number into a KernelError.

    `doing`: what could not be done ("The port veth1 cannot be created"); `special`: whole sentences for the
    numbers that mean something of their own here.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        if special and number in special:
            raise KernelError(special[number]) from error
        raise KernelError(f"{doing}: {_REASONS.get(number, os.strerror(number))}.") from error
