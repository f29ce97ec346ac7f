"""WebSocket sessions: a command in a container, its logs, the server's events.

Binary frames; the first byte says what follows (the same numbers as between server and host).
To the server: 0 stdin, 1 end of stdin, 2 window size. From it: 1 stdout, 2 stderr, 3 exit, 4 error.
"""

import json
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect, unix_connect

from netadmin.cli.client import Client, Params, authorize, build_path, refuse, unreachable
from netadmin.cli.errors import Failure

STDIN, END_OF_STDIN, RESIZE = 0, 1, 2
STDOUT, STDERR, EXIT, ERROR = 1, 2, 3, 4
CHUNK = 65536
# After the output ended the record of the exit may still be on its way from the host.
SETTLE_SECONDS = 10.0
INTERRUPTED = 130


@contextmanager
def open_socket(client: Client, path: Sequence[str], params: Params) -> Iterator[ClientConnection]:
    """A WebSocket to the server, authenticated as REST is; refusals become sentences."""
    target = client.target
    place = build_path(("ws", *path), params, client.host)
    settings: dict[str, Any] = {
        "additional_headers": authorize(target),
        "compression": None,
        "max_size": None,
    }
    try:
        if target.socket_path:
            opened = unix_connect(target.socket_path, "ws://localhost" + place, legacy=False, **settings)
        else:
            base = target.url.replace("http", "ws", 1)
            # The REST client knows no proxies either; both must reach the same server.
            opened = connect(base + place, proxy=None, legacy=False, **settings)
        with opened as connection:
            yield connection
    except InvalidStatus as error:
        raise _refused(error) from error
    except ConnectionClosed as error:
        raise Failure("The connection to the server was lost.") from error
    except (OSError, InvalidHandshake) as error:
        raise unreachable(target, error) from error


def _refused(error: InvalidStatus) -> Failure:
    try:
        body = json.loads(error.response.body or b"")
    except ValueError:
        body = None
    if body is None and error.response.status_code == 403:
        return Failure("The server refused: you may not do this, or there is no such container.")
    return refuse(error.response.status_code, body)


def copy_output(connection: ClientConnection) -> int | None:
    """Write what comes to stdout and stderr; the exit code if it is told, None when the stream just ends."""
    for frame in connection:
        data = frame.encode() if isinstance(frame, str) else bytes(frame)
        kind, content = data[0], data[1:]
        if kind == EXIT:
            code: int | None = json.loads(content)["code"]
            return code
        if kind == ERROR:
            told = json.loads(content)
            raise Failure(str(told["message"]), told.get("code", 1))
        if kind in (STDOUT, STDERR):
            stream = (sys.stdout if kind == STDOUT else sys.stderr).buffer
            stream.write(content)
            stream.flush()
    return None


def run_command(
    client: Client,
    container: str,
    command: Sequence[str],
    env: dict[str, str],
    interactive: bool,
    terminal: bool,
    place: dict[str, str],
) -> int:
    """Run a command in a container, joined to this terminal; its exit code. `place`: user and working directory."""
    params = [("command", word) for word in command]
    params += [pair for pair in place.items() if pair[1]]
    params += [("env", f"{key}={value}") for key, value in env.items()]
    if terminal:
        size = measure_window()
        params += [("tty", "1"), ("columns", str(size.columns)), ("rows", str(size.lines))]
    with open_socket(client, ("containers", container, "exec"), params) as connection:
        raw = interactive and terminal
        with Forwarder(connection, interactive, terminal), raw_terminal(raw):
            code = copy_output(connection)
    if code is None:
        raise Failure("The connection to the server was lost before the command ended.")
    return code


def measure_window() -> os.terminal_size:
    """The window as it is now; COLUMNS and LINES of the environment do not follow a change."""
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return os.get_terminal_size(descriptor)
    return os.terminal_size((80, 24))


@contextmanager
def raw_terminal(wanted: bool) -> Iterator[None]:
    """Every key, Ctrl-C too, goes to the other side; the terminal is put back at the end."""
    if not wanted:
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Forwarder:
    """A thread that sends stdin and window sizes while the main thread receives.

    A signal handler must not send by itself, since it may interrupt the main thread inside the connection's
    locks. It only wakes this thread through a pipe.
    """

    def __init__(self, connection: ClientConnection, interactive: bool, terminal: bool) -> None:
        self._connection = connection
        self._stdin = sys.stdin.fileno() if interactive else None
        self._terminal = terminal
        self._wake_in, self._wake_out = os.pipe()
        self._done = False
        self._thread = threading.Thread(target=self._forward, daemon=True)

    def __enter__(self) -> None:
        if self._terminal:
            self._before = signal.signal(signal.SIGWINCH, self._wake)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            signal.signal(signal.SIGWINCH, self._before)
        self._done = True
        self._wake()
        self._thread.join()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _wake(self, _: int = 0, __: FrameType | None = None) -> None:
        os.write(self._wake_out, b"\0")

    def _forward(self) -> None:
        watched = [self._wake_in] + ([] if self._stdin is None else [self._stdin])
        try:
            if self._stdin is None:
                self._connection.send(bytes([END_OF_STDIN]))
            while not self._done:
                ready, _, _ = select.select(watched, [], [])
                if self._wake_in in ready:
                    os.read(self._wake_in, CHUNK)
                    self._send_size()
                elif not self._send_input():
                    watched.remove(ready[0])
        except ConnectionClosed:
            return  # The main thread finds out as well, and says so.

    def _send_size(self) -> None:
        if self._terminal and not self._done:
            size = measure_window()
            content = json.dumps({"columns": size.columns, "rows": size.lines}).encode()
            self._connection.send(bytes([RESIZE]) + content)

    def _send_input(self) -> bool:
        """False once stdin has ended."""
        assert self._stdin is not None
        data = os.read(self._stdin, CHUNK)
        self._connection.send(bytes([STDIN]) + data if data else bytes([END_OF_STDIN]))
        return bool(data)


def follow_logs(client: Client, container: str, tail: int | None) -> bool:
    """Copy the logs until the process ends; False when Ctrl-C came first."""
    params = [("follow", "1")] + ([] if tail is None else [("tail", str(tail))])
    try:
        with open_socket(client, ("containers", container, "logs"), params) as connection:
            copy_output(connection)
    except KeyboardInterrupt:
        return False
    return True


def follow_container(client: Client, container: str) -> int:
    """Copy the logs of a container just started; the exit code of its process.

    The code is the recorded one: a process may end, and be forgotten by its host, before the logs are asked for.
    """
    if not follow_logs(client, container, None):
        return INTERRUPTED
    deadline = time.monotonic() + SETTLE_SECONDS
    while (known := client.get("containers", container))["exit_code"] is None:
        if known["state"] == "failed" or time.monotonic() > deadline:
            raise Failure(known["error"] or f"How {known['name']} ended is not known; see `netadmin ps -a`.")
        time.sleep(0.1)
    return int(known["exit_code"])


def follow_events(client: Client) -> Iterator[dict[str, Any]]:
    """What changes on the server, as it happens; ends on Ctrl-C."""
    try:
        with open_socket(client, ("events",), ()) as connection:
            for message in connection:
                yield json.loads(message)
    except KeyboardInterrupt:
        return
