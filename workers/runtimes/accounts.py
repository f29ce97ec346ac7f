"""As whom a process runs in a root of its own: names of an image are those of its own /etc/passwd and /etc/group.

The rules are those of Docker's `--user`. The root is a stranger's: its files are opened without waiting for anybody
(a FIFO), read up to a limit, and looked at from inside, where its links lead nowhere else.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from workers.runtimes.errors import NOT_EXECUTABLE, Refusal

_LIMIT = 4 << 20
"""Bytes of one file that are read."""
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    groups: tuple[int, ...]
    """Further ones."""
    home: str = "/"


@contextlib.contextmanager
def inside(root: str) -> Iterator[None]:
    """Have this process look at `root` as its root directory; only in a fresh child with one thread. Raises OSError."""
    before = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chroot(root)
        os.chdir("/")
        try:
            yield
        finally:
            os.fchdir(before)
            os.chroot(".")
    finally:
        os.close(before)


def read_account(user: str) -> Account:
    """Of `name`, `uid`, either with `:group` behind, or nothing: root. Raises Refusal."""
    return choose_account(user, _read("/etc/passwd"), _read("/etc/group"))


def choose_account(user: str, passwd: str, group: str) -> Account:
    """The same, from the text of both files. Raises Refusal."""
    name, _, own_group = user.partition(":")
    accounts, groups = list(_fields(passwd, 7)), list(_fields(group, 3))
    found = next((entry for entry in accounts if entry[0] == (name or "root")), None)
    number = _number(name or "0")
    if found is None and number is not None:
        found = next((entry for entry in accounts if _number(entry[2]) == number), None)
    if found is not None and _number(found[2]) is not None:
        uid, gid, home = int(found[2]), _number(found[3]) or 0, found[5] or "/"
    elif number is not None:
        uid, gid, home = number, 0, "/"
    else:
        raise Refusal(f"unable to find user {name}: no matching entries in passwd file", NOT_EXECUTABLE)
    if own_group:
        return Account(uid, _find_group(own_group, groups), (), home)
    further = [
        int(entry[2])
        for entry in groups
        if found is not None
        and _number(entry[2]) is not None
        and found[0] in (entry[3] if len(entry) > 3 else "").split(",")
    ]
    return Account(uid, gid, tuple(dict.fromkeys(further)), home)


def _find_group(name: str, groups: list[list[str]]) -> int:
    found = next((_number(entry[2]) for entry in groups if entry[0] == name), None)
    number = _number(name) if found is None else found
    if number is None:
        raise Refusal(f"unable to find group {name}: no matching entries in group file", NOT_EXECUTABLE)
    return number


def _fields(text: str, count: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= count and not line.startswith("#"):
            yield fields


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,10}", text) and int(text) <= _LARGEST else None


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return file.read(_LIMIT).decode("utf-8", "replace")
