"""The other end of the control socket, for the worker: one blocking call per request.

Each call has its own connection, so a client may be shared by threads and outlives restarts of the supervisor.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, TypeVar

import msgspec

from workers.contract.reports import Exit, Restart
from workers.planning.objects import Process
from workers.runtimes import protocol
from workers.runtimes.protocol import (
    Done,
    ExecState,
    Failure,
    Marked,
    Output,
    Overview,
    Run,
    Started,
    Text,
    decode_event,
)
from workers.tracing import mark

UNREACHED = 0
PAUSE = 5.0
"""Seconds for which a supervisor that did not answer is not asked again: whoever asks for a thousand containers, one
after the other, would wait for it a thousand times and do nothing else."""
_Reply = TypeVar("_Reply", bound=Done)


class SupervisorError(Exception):
    """One sentence for a person; `code` as a shell has it (127 not found, 126 not executable, 125 refused),
    0 when the supervisor was not reached."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class Silent(SupervisorError):
    """It did not answer in time."""

    def __init__(self, path: str) -> None:
        super().__init__(f"The supervisor on {path} did not answer in time; see its log.", UNREACHED)


class Supervisor:
    """All methods raise SupervisorError."""

    def __init__(self, path: str, timeout: float = 5.0) -> None:
        """`path`: the control socket; `timeout`: seconds to wait for a reply, on top of what a request takes."""
        self._path = path
        self._timeout = timeout
        self._silent_until = 0.0

    def start(self, process: Process) -> int:
        """Its pid; the same one if this incarnation runs already."""
        fields = {name: getattr(process, name) for name in Process.__struct_fields__}
        return self._ask(protocol.Start(**fields), Started).pid

    def stop(self, container: str, timeout: float) -> None:
        """SIGTERM now, SIGKILL `timeout` seconds later; returns at once, `watch` tells the end."""
        self._ask(protocol.Stop(container=container, timeout=timeout), Done)

    def end(self, sandbox: str) -> None:
        """Kill what is still in a sandbox; nothing is on return."""
        self._ask(protocol.End(sandbox=sandbox), Done, extra=10.0)

    def signal(self, container: str, signal: str) -> None:
        self._ask(protocol.Signal(container=container, signal=signal), Done)

    def status(self) -> dict[str, Run]:
        """By container: all that run, or have ended and were not forgotten."""
        return self._ask(protocol.Status(), Overview).containers

    def forget(self, container: str, remains: bool = False) -> None:
        """Drop the record of an ended process; with `remains` its log and its writable layer too."""
        self._ask(protocol.Forget(container=container, remains=remains), Done)

    def keep(self, containers: Sequence[str]) -> None:
        """Drop the remains of all other containers whose process does not run."""
        self._ask(protocol.Keep(containers=tuple(containers)), Done)

    def exec(self, session: str, command: Sequence[str], **wanted: Any) -> int:
        """Pid of a command whose streams are bridged over Redis; listen before calling.

        `wanted` as in `protocol.Exec`.
        """
        request = protocol.Exec(session=session, command=tuple(command), **wanted)
        return self._ask(request, Started, extra=10.0).pid

    def detach(self, session: str, command: Sequence[str], **wanted: Any) -> int:
        """Pid of a command that nobody follows; `wanted` as in `protocol.Detach`."""
        request = protocol.Detach(session=session, command=tuple(command), **wanted)
        return self._ask(request, Started, extra=10.0).pid

    def exec_state(self, session: str) -> ExecState:
        return self._ask(protocol.AskExec(session=session), ExecState)

    def run_once(self, command: Sequence[str], **wanted: Any) -> Output:
        """Run to the end, after its `timeout` with code 124; `wanted` as in `protocol.RunOnce`."""
        request = protocol.RunOnce(command=tuple(command), **wanted)
        return self._ask(request, Output, extra=request.timeout + 5.0)

    def logs(self, container: str, **wanted: Any) -> str:
        """The last of what it has printed, 1 MiB at most; `wanted` as in `protocol.Excerpt`."""
        return self._ask(protocol.Logs(container=container, **wanted), Text).text

    def follow_logs(self, session: str, container: str, **wanted: Any) -> None:
        """Have the log streamed over Redis until the process ends; listen before calling."""
        self._ask(protocol.FollowLogs(session=session, container=container, **wanted), Done, extra=10.0)

    def attach(self, session: str, container: str, **wanted: Any) -> None:
        """Have the streams of the container's process bridged over Redis; `wanted` as in `protocol.Attach`."""
        self._ask(protocol.Attach(session=session, container=container, **wanted), Done, extra=10.0)

    def resize(self, container: str, columns: int, rows: int) -> None:
        """The terminal of the container's process."""
        self._ask(protocol.Resize(container=container, columns=columns, rows=rows), Done)

    def marks(self, container: str) -> Marked:
        """By what the container's processes are known; nothing if none run."""
        return self._ask(protocol.Marks(container=container), Marked)

    def shutdown(self, timeout: float | None = None) -> None:
        """End everything and the supervisor; None: each container's own stop timeout, up to a day."""
        self._ask(
            protocol.Shutdown(timeout=timeout), Done, extra=86400.0 if timeout is None else timeout + 10.0
        )

    def watch(self) -> Iterator[Exit | Restart]:
        """Exits and restarts from now on, first those that nobody has forgotten; ends when the supervisor does."""
        connection = self._connect(self._timeout)
        # One reader for reply and events: it may have read ahead.
        stream = connection.makefile("rb")
        try:
            self._exchange(protocol.Watch(), connection, stream, Done)
        except SupervisorError:
            stream.close()
            connection.close()
            raise
        connection.settimeout(None)
        return _read_events(connection, stream)

    def _ask(self, request: msgspec.Struct, reply: type[_Reply], extra: float = 0.0) -> _Reply:
        if time.monotonic() < self._silent_until:
            raise Silent(self._path)
        with self._connect(self._timeout + extra) as connection, connection.makefile("rb") as stream:
            try:
                return self._exchange(request, connection, stream, reply)
            except Silent:
                # What takes its time may be slow by itself.
                if not extra:
                    self._silent_until = time.monotonic() + PAUSE
                raise

    def _connect(self, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise SupervisorError(
                f"The supervisor on {self._path} cannot be reached ({error.strerror or error}); start it.",
                UNREACHED,
            ) from error
        return connection

    def _exchange(
        self, request: msgspec.Struct, connection: socket.socket, stream: BinaryIO, reply: type[_Reply]
    ) -> _Reply:
        try:
            connection.sendall(mark(msgspec.json.encode(request)) + b"\n")
            line = stream.readline()
        except TimeoutError as error:
            raise Silent(self._path) from error
        except OSError as error:
            raise SupervisorError(f"The supervisor on {self._path} hung up ({error}).", UNREACHED) from error
        if not line:
            raise SupervisorError(f"The supervisor on {self._path} hung up; see its log.", UNREACHED)
        if not msgspec.json.decode(line, type=Done).ok:
            failure = msgspec.json.decode(line, type=Failure)
            raise SupervisorError(failure.error, failure.code)
        return msgspec.json.decode(line, type=reply)


def _read_events(connection: socket.socket, stream: BinaryIO) -> Iterator[Exit | Restart]:
    with connection, stream, contextlib.suppress(ConnectionError):
        for line in stream:
            yield decode_event(line)
