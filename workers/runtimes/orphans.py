"""Processes whose parents have ended come to the supervisor, not to the machine's first process.

So a container's first process, which the OCI runtime leaves behind, becomes the supervisor's own child, whose exit code
it gets on any kernel (prctl(2), PR_SET_CHILD_SUBREAPER). Whatever else comes is collected when it ends.
"""

import ctypes
import os
from collections.abc import Callable

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def take_in_orphans() -> None:
    """From now on, for this process. Raises OSError."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def collect(attend: Callable[[int], bool]) -> None:
    """Collect all children that have ended; `attend` collects the one of that pid itself, or says False."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        if not attend(found.si_pid):
            os.waitpid(found.si_pid, 0)
