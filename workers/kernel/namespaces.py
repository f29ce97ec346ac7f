"""Named network namespaces as `ip netns` knows them: bind mounts under /run/netns.

They are entered by descriptor, in the calling thread. Python gained os.setns and os.unshare in 3.12 only.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from workers.kernel.dump import Look
from workers.kernel.errors import KernelError, Stranded, explained
from workers.kernel.markers import check_namespace, read_sandbox, sandbox_alias
from workers.kernel.netlink import set_link
from workers.kernel.sysctls import Settings
from workers.planning.objects import Sandbox

FOLDER = "/run/netns"
# The main thread's namespace may be another one, so not /proc/self.
_CURRENT = "/proc/thread-self/ns/net"
_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 1 << 20
_MNT_DETACH = 2
LOOPBACK = 1
"""The index of `lo` in every namespace."""
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source: str, target: str, flags: int) -> None:
    _check(_libc.mount(source.encode(), target.encode(), b"none", ctypes.c_ulong(flags), None))


def _detach(path: str) -> None:
    _check(_libc.umount2(path.encode(), _MNT_DETACH))


def _path(name: str) -> str:
    return f"{FOLDER}/{check_namespace(name)}"


def _prepare_folder() -> None:
    """Make /run/netns a shared mount as `ip netns add` does: every mount namespace sees what is added."""
    os.makedirs(FOLDER, 0o755, exist_ok=True)
    try:
        _mount("", FOLDER, _MS_SHARED | _MS_REC)
    except OSError as error:
        # EINVAL: the folder is no mount point yet.
        if error.errno != errno.EINVAL:
            raise
        _mount(FOLDER, FOLDER, _MS_BIND | _MS_REC)
        _mount("", FOLDER, _MS_SHARED | _MS_REC)


def _bind(source: str, path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except FileExistsError:
        # An empty file without a namespace is what a creation leaves that was cut short.
        if os.lstat(path).st_size or os.path.ismount(path):
            raise
    _mount(source, path, _MS_BIND)


class Room(NamedTuple):
    """A sandbox that is open: what is sent over its look reaches it from wherever the thread is."""

    descriptor: int
    look: Look


class Namespaces:
    """The named namespaces of the host, for one thread, whose namespace at construction is home."""

    def __init__(self) -> None:
        self._home = os.open(_CURRENT, os.O_RDONLY | os.O_CLOEXEC)
        # Once is enough, and it takes longer with each namespace.
        self._is_prepared = False

    def close(self) -> None:
        os.close(self._home)

    def _go_home(self) -> None:
        if _libc.setns(self._home, _CLONE_NEWNET) != 0:
            raise Stranded(
                f"The worker's thread cannot return to the host: {os.strerror(ctypes.get_errno())}."
            )

    @contextmanager
    def inside(self, descriptor: int) -> Iterator[None]:
        """The calling thread is in that namespace for the time of the block."""
        _check(_libc.setns(descriptor, _CLONE_NEWNET))
        try:
            yield
        finally:
            self._go_home()

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """A descriptor of a named namespace; OSError where there is none."""
        descriptor = os.open(_path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def opened_sandbox(self, name: str, container: str) -> Iterator[Room]:
        """The container's own sandbox; KernelError where that is missing or another's."""
        missing = {errno.ENOENT: f"The namespace {name} is not there."}
        with explained(f"The namespace {name} cannot be opened", missing):
            descriptor = os.open(_path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            look = self._look_into(descriptor)
            if look is None:
                raise KernelError(f"{FOLDER}/{name} is not a network namespace.")
            with closing(look):
                marker = _read_marker(look)
                if marker is None or marker[0] != container:
                    raise KernelError(
                        f"The namespace {name} is not the sandbox of container {container[:12]}."
                    )
                yield Room(descriptor, look)
        finally:
            os.close(descriptor)

    def _look_into(self, descriptor: int) -> Look | None:
        """None: it is no network namespace."""
        try:
            with self.inside(descriptor):
                return Look()
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def find(self, name: str) -> Sandbox | None:
        """The sandbox of ours that has this name."""
        try:
            with self.opened(name) as descriptor:
                look = self._look_into(descriptor)
        except (FileNotFoundError, PermissionError):
            # An unfinished name is a file without any permission bit; CAP_DAC_OVERRIDE may be missing.
            return None
        if look is None:
            return None
        with closing(look):
            marker = _read_marker(look)
        return Sandbox(container=marker[0], name=name, incarnation=marker[1]) if marker else None

    def identify(self, name: str) -> int:
        """The number by which the kernel knows the namespace that the name stands for now; 0: there is none."""
        try:
            return os.stat(_path(name)).st_ino
        except OSError:
            return 0

    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(FOLDER))
        except FileNotFoundError:
            return []

    def create(self, wanted: Sandbox) -> None:
        """Make the sandbox; one that is there already and carries the same marker is left as it is."""
        path = _path(wanted.name)
        if os.path.ismount(path):
            self._accept_existing(wanted)
            return
        with explained(f"The namespace {wanted.name} cannot be created"):
            if not self._is_prepared:
                _prepare_folder()
                self._is_prepared = True
            try:
                _check(_libc.unshare(_CLONE_NEWNET))
                # Marked and set up before it has a name: what can be found is complete.
                self._set_up(wanted)
                _bind(_CURRENT, path)
            finally:
                self._go_home()

    def adopt(self, wanted: Sandbox, pid: int) -> bool:
        """Name the namespace of a process, if that is this very sandbox and its name is free."""
        source, path = f"/proc/{pid}/ns/net", _path(wanted.name)
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            look = self._look_into(descriptor)
            if look is None or os.path.ismount(path):
                return False
            with closing(look):
                if _read_marker(look) != (wanted.container, wanted.incarnation):
                    return False
            with explained(f"The namespace {wanted.name} cannot be named again"):
                _bind(source, path)
        finally:
            os.close(descriptor)
        return True

    def _accept_existing(self, wanted: Sandbox) -> None:
        found = self.find(wanted.name)
        if found is None:
            raise KernelError(
                f"The host already has a namespace named '{wanted.name}' that is not netadmin's: "
                f"remove it (ip netns delete {wanted.name}) or rename the container."
            )
        if found != wanted:
            raise KernelError(
                f"The namespace {wanted.name} is the sandbox of container {found.container[:12]}, "
                f"start {found.incarnation}: it must be removed first."
            )

    def _set_up(self, wanted: Sandbox) -> None:
        with Settings() as settings, Look() as look:
            settings.set_sandbox_defaults()
            look.carry_out(
                set_link(LOOPBACK, up=True, alias=sandbox_alias(wanted.container, wanted.incarnation))
            )

    def rename(self, found: Sandbox, new: str) -> None:
        """Give a sandbox another name; the namespace and what runs in it are not touched."""
        target = _path(new)
        if os.path.ismount(target):
            self._accept_existing(Sandbox(container=found.container, name=new, incarnation=found.incarnation))
        else:
            # A second bind mount and then the first one away: mounts below a shared mount cannot be moved.
            with explained(f"The namespace {found.name} cannot be renamed to {new}"):
                _bind(_path(found.name), target)
        self.remove(found)

    def remove(self, found: Sandbox) -> None:
        """Take the name away if it is still this container's; the namespace ends with its last user."""
        current = self.find(found.name)
        if current is None or current.container != found.container:
            return
        with explained(f"The namespace {found.name} cannot be removed"):
            path = _path(found.name)
            _detach(path)
            os.unlink(path)


def _read_marker(look: Look) -> tuple[str, int] | None:
    """(container id, incarnation) of the namespace of ours that the look is into; None: it is not ours."""
    loopback = look.link("lo")
    return read_sandbox(loopback.alias) if loopback else None
