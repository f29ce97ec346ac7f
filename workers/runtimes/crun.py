"""Containers that have an image: their processes are begun by crun (OCI runtime-spec), and then our own children.

crun is gone as soon as it has begun something. It takes milliseconds, so it is waited for. It runs in a mount
namespace of its own, in which the container's root is mounted, and which shows it no control groups: it would refuse
hosts with both generations of them, and there are no limits to set.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from workers.planning.objects import Process
from workers.runtimes.accounts import Account, inside, read_account
from workers.runtimes.errors import NOT_EXECUTABLE, NOT_FOUND, Refusal
from workers.runtimes.layers import Layer, Layers
from workers.runtimes.namespace import FILES, NAMESPACES, leave_mounts, mount
from workers.runtimes.processes import LIMITS, PATH, Started, Streams, adopt, adopt_guest, launch
from workers.runtimes.protocol import check_name
from workers.runtimes.specification import (
    HOME_FOUND,
    Asked,
    Surroundings,
    describe_container,
    describe_process,
    read_first,
)

PROGRAM = "crun"
_PATIENCE = 30.0
"""Seconds that crun may take."""
_CONTROL_GROUPS = "/sys/fs/cgroup"
_CONFIG = "config.json"
_FILES = ("resolv.conf", "hosts", "hostname")


class Crun:
    def __init__(self, folder: Path, layers: Layers) -> None:
        """`folder`: for what crun remembers until the next boot."""
        self._folder, self.layers = folder, layers
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, process: Process, streams: Streams, register: Callable[[int], None]) -> Started:
        """Begin a container's first process; `register` is told its pid before it runs. Raises Refusal."""
        id, layer = process.container, self.layers.open(process.container, process.image)
        self.clear(id)
        asked = Asked(
            command=process.command,
            env={"PATH": PATH, "HOSTNAME": process.hostname, **process.env},
            terminal=streams.terminal,
            user=process.user,
            working_dir=process.working_dir,
        )
        around = Surroundings(
            hostname=process.hostname,
            namespace=str(NAMESPACES / check_name("sandbox", process.sandbox)) if process.sandbox else "",
            files=_files(process, layer),
            descriptors=LIMITS,
        )

        def prepare() -> None:
            layer.mount()
            with inside(str(layer.root)):
                account = read_account(asked.user)
                _make_folder(asked.working_dir)
            _write_private(layer.folder / _CONFIG, describe_container(asked, account, around))

        pid, terminal = self._begin(
            ["create", "--bundle", str(layer.folder)], id, process.command[0], streams, prepare
        )
        try:
            child = adopt(pid, alone=True)
            register(pid)
            self._run(["start", id], streams)
        except (OSError, Refusal) as error:
            self.clear(id)
            if isinstance(error, Refusal):
                raise
            raise Refusal(f"The container's process ended before it ran: {error}.") from error
        return Started(child, terminal)

    def exec(self, container: str, init: int, asked: Asked, streams: Streams) -> Started:
        """Begin a further process beside `init`, with what of its settings is not asked for. Raises Refusal."""
        folder = self.layers.folder(container)
        path = folder / f"exec-{uuid.uuid4().hex}.json"

        def prepare() -> None:
            container = msgspec.json.decode((folder / _CONFIG).read_bytes())
            first = read_first(container)
            with inside(f"/proc/{init}/root"):
                account = read_account(asked.user) if asked.user else _known(container)
                _make_folder(asked.working_dir)
            _write_private(path, describe_process(asked, account, first))

        try:
            pid, terminal = self._begin(
                ["exec", "--detach", "--process", str(path)], container, asked.command[0], streams, prepare
            )
        finally:
            path.unlink(missing_ok=True)
        try:
            return Started(adopt_guest(pid), terminal)
        except OSError as error:
            raise Refusal(f"The command cannot be watched: {error.strerror}.") from error

    def go_on(self, container: str) -> None:
        """Let a process run that was begun by a supervisor which ended before it could."""
        if (self._folder / container / "exec.fifo").exists():
            with contextlib.suppress(Refusal):
                self._run(["start", container], None)

    def clear(self, container: str) -> None:
        """Forget a container, and end what may still run of it; nothing if there is none."""
        if (self._folder / container / "status").exists():
            with contextlib.suppress(Refusal):
                self._run(["delete", "--force", container], None)
        shutil.rmtree(self._folder / container, ignore_errors=True)

    def sweep(self, kept: set[str]) -> None:
        """Clear all other containers."""
        for path in self._folder.iterdir():
            if path.name not in kept:
                self.clear(path.name)

    def _begin(
        self, words: Sequence[str], id: str, command: str, streams: Streams, prepare: Callable[[], None]
    ) -> tuple[int, int]:
        """Pid, and the master of the terminal that crun made for it, or -1."""
        with tempfile.TemporaryDirectory(prefix="netadmin-", dir="/run") as folder:
            note = f"{folder}/pid"
            with _Console(f"{folder}/console", wanted=streams.terminal) as console:
                words = [words[0], *console.options, "--pid-file", note, *words[1:], id]
                try:
                    self._run(words, streams, prepare)
                except Refusal as refusal:
                    raise _explain(command, refusal) from refusal
                return int(Path(note).read_text()), console.receive()

    def _run(
        self, words: Sequence[str], streams: Streams | None, prepare: Callable[[], None] | None = None
    ) -> None:
        """Run crun to its end. Raises Refusal with what it said."""

        def enter() -> None:
            leave_mounts()
            if os.path.isdir(_CONTROL_GROUPS):
                mount("none", _CONTROL_GROUPS, "tmpfs", 0)
            if prepare is not None:
                prepare()
                os.chdir("/")

        with tempfile.NamedTemporaryFile(prefix="netadmin-crun-") as log:
            command = [PROGRAM, "--root", str(self._folder), "--cgroup-manager", "disabled"]
            command += ["--log", f"file:{log.name}", *words]
            with _choose(streams) as given:
                try:
                    process = launch(command, {"PATH": PATH}, given, enter)
                except Refusal as refusal:
                    if refusal.code != NOT_FOUND:
                        raise
                    # Not final, as a missing command of the container would be.
                    raise Refusal(
                        "Containers of images need crun on their host; install the package crun."
                    ) from refusal
            try:
                code = process.wait(_PATIENCE)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.wait()
                raise Refusal(f"crun {words[0]} did not end within {_PATIENCE:g} s.") from error
            if code != 0:
                said = log.read().decode("utf-8", "replace").strip().splitlines()
                raise Refusal(said[-1] if said else f"crun {words[0]} ended with status {code}")


class _Console:
    """Where crun brings the master of a terminal that it makes."""

    def __init__(self, path: str, *, wanted: bool) -> None:
        self.options = ["--console-socket", path] if wanted else []
        self._listener = socket.socket(socket.AF_UNIX) if wanted else None
        if self._listener is not None:
            self._listener.bind(path)
            self._listener.listen(1)
            self._listener.settimeout(_PATIENCE)

    def __enter__(self) -> "_Console":
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.close()

    def receive(self) -> int:
        if self._listener is None:
            return -1
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(_PATIENCE)
            _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        return descriptors[0]


@contextlib.contextmanager
def _choose(streams: Streams | None) -> Iterator[Streams]:
    """What crun itself has for streams: those that it shall hand on."""
    if streams is not None and not streams.terminal:
        yield streams
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield Streams(null, null, null)
    finally:
        os.close(null)


def _files(process: Process, layer: Layer) -> dict[str, str]:
    """The sandbox's own files, as for containers without an image; of the host network, the host's."""
    if process.sandbox:
        folder = FILES / process.sandbox
        found = {f"/etc/{name}": folder / name for name in _FILES}
    else:
        own = layer.folder / "hostname"
        own.write_text(f"{process.hostname}\n")
        found = {f"/etc/{name}": Path("/etc", name) for name in _FILES} | {"/etc/hostname": own}
    return {target: str(source) for target, source in found.items() if source.is_file()}


def _make_folder(path: str) -> None:
    """Of the root that this process looks at: a working directory need not be there."""
    if path:
        os.makedirs(path, exist_ok=True)


def _known(container: Mapping[str, Any]) -> Account:
    """That of its first process."""
    user = container["process"]["user"]
    home = container["annotations"].get(HOME_FOUND, "/")
    return Account(user["uid"], user["gid"], tuple(user["additionalGids"]), home)


def _write_private(path: Path, content: object) -> None:
    """Variables may be secrets."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(content))


def _explain(command: str, refusal: Refusal) -> Refusal:
    """crun's sentence about a command, with the code that a shell would have."""
    said = str(refusal)
    if "not found in $PATH" in said:
        return Refusal(f"The command {command!r} was not found.", NOT_FOUND)
    if "open executable" in said or ("exec" in said and "Permission denied" in said):
        return Refusal(f"The command {command!r} cannot be executed: {said}.", NOT_EXECUTABLE)
    return refusal
