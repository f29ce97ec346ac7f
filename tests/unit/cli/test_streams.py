"""exec, logs and events against a real WebSocket server on the local socket, the terminal being a real one."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, unix_serve

from netadmin.cli.client import Client
from netadmin.cli.stream import follow_container
from netadmin.cli.target import find_target
from tests.unit.cli.samples import CONTAINER_ID

Play = Callable[[ServerConnection], None]
PATIENCE = 10.0


class Stage:
    """Plays one part with each client, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.play: Play = lambda connection: None
        self.opened: list[str] = []
        self.refusal: tuple[int, bytes] | None = None
        self.rest: list[dict[str, Any]] = []
        self.heard: list[bytes] = []

    def listen(self, connection: ServerConnection) -> bytes:
        frame = connection.recv(timeout=PATIENCE)
        assert isinstance(frame, bytes)
        self.heard.append(frame)
        return frame

    def handle(self, connection: ServerConnection) -> None:
        self.play(connection)

    def answer_http(self, connection: ServerConnection, request: Request) -> Response | None:
        self.opened.append(request.path)
        if "Upgrade" not in request.headers:
            body = json.dumps(self.rest.pop(0) if len(self.rest) > 1 else self.rest[0]).encode()
            return Response(200, "OK", Headers({"Content-Length": str(len(body))}), body)
        if self.refusal:
            return Response(self.refusal[0], "No", Headers(), self.refusal[1])
        return None

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.opened[-1]).query, keep_blank_values=True)


@pytest.fixture
def stage(clean_environment: Path) -> Iterator[Stage]:
    stage = Stage()
    server = unix_serve(stage.handle, str(clean_environment / "web.sock"), process_request=stage.answer_http)
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield stage
        server.shutdown()
        thread.join()


def run(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "netadmin.cli", *words],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        timeout=3 * PATIENCE,
    )


def leave(code: int) -> bytes:
    return b"\3" + json.dumps({"code": code}).encode()


def test_exec_separates_the_outputs_and_exits_with_the_code(stage: Stage) -> None:
    def play(connection: ServerConnection) -> None:
        assert stage.listen(connection) == b"\1"
        for frame in (b"\1out \xff\0", b"\2err\n", b"\1more\n", leave(3)):
            connection.send(frame)

    stage.play = play
    done = run("exec", "-e", "A=b c", "web", "sh", "-c", "exit 3", "-t")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out \xff\0more\n", b"err\n")
    assert urlsplit(stage.opened[-1]).path == "/ws/containers/web/exec/"
    words = [("command", word) for word in ("sh", "-c", "exit 3", "-t")]
    assert stage.query == [*words, ("env", "A=b c")]


def test_exec_forwards_binary_input_to_its_end(stage: Stage) -> None:
    given = bytes(range(256)) * 4096

    def play(connection: ServerConnection) -> None:
        while (frame := stage.listen(connection)) != b"\1":
            assert frame[0] == 0
        connection.send(b"\1" + b"".join(frame[1:] for frame in stage.heard))
        connection.send(leave(0))

    stage.play = play
    done = run("exec", "-i", "web", "cat", given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_exec_tells_the_error_of_the_server_in_one_line(stage: Stage) -> None:
    stage.play = lambda connection: connection.send(
        b"\4" + json.dumps({"message": "web is not running."}).encode()
    )
    done = run("exec", "web", "true")
    assert (done.returncode, done.stderr) == (1, b"Error: web is not running.\n")


def test_exec_that_loses_its_server_is_a_failure(stage: Stage) -> None:
    done = run("exec", "web", "true")
    assert done.returncode == 1 and b"lost before the command ended" in done.stderr


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ((403, b""), b"you may not do this"),
        ((404, b'{"code": "not_found", "message": "No container web."}'), b"Error: No container web.\n"),
        ((401, b""), b"netadmin login URL"),
    ],
)
def test_a_refused_session_is_one_line(stage: Stage, refusal: tuple[int, bytes], sentence: bytes) -> None:
    stage.refusal = refusal
    done = run("exec", "web", "true")
    assert done.returncode == 1 and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_terminal_is_refused_when_the_input_is_none(stage: Stage) -> None:
    done = run("exec", "-it", "web", "sh")
    assert (done.returncode, stage.opened) == (1, [])
    assert b"not a terminal" in done.stderr


class Terminal:
    """A person at a pseudo-terminal who runs one netadmin command."""

    def __init__(self, *words: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            # A shell that starts jobs in its background has them ignore it, and so all that they start.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            # The window has its size before the program can ask for it.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            os.execv(sys.executable, [sys.executable, "-m", "netadmin.cli", *words])

    def read_until(self, wanted: bytes) -> bytes:
        seen = b""
        while wanted not in seen:
            ready, _, _ = select.select([self.descriptor], [], [], PATIENCE)
            assert ready, seen
            seen += os.read(self.descriptor, 4096)
        return seen

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def flags(self) -> int:
        return int(termios.tcgetattr(self.descriptor)[3])

    def wait(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("the command did not end")


def test_a_terminal_session_is_raw_follows_the_window_and_is_put_back(stage: Stage) -> None:
    resized = threading.Event()

    def play(connection: ServerConnection) -> None:
        connection.send(b"\1prompt> ")
        assert stage.listen(connection) == b"\0\x03"  # Ctrl-C goes inside instead of ending the client.
        connection.send(b"\1got it\r\n")
        size = stage.listen(connection)
        assert (size[:1], json.loads(size[1:])) == (b"\2", {"columns": 120, "rows": 40})
        resized.set()
        connection.send(leave(5))

    stage.play = play
    terminal = Terminal("exec", "-it", "web", "sh")
    terminal.read_until(b"prompt> ")
    assert not terminal.flags() & (termios.ICANON | termios.ECHO | termios.ISIG)
    terminal.type(b"\x03")
    terminal.read_until(b"got it\r\n")
    terminal.resize(120, 40)
    assert resized.wait(PATIENCE)
    assert terminal.wait() == 5
    assert terminal.flags() & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert {("tty", "1"), ("columns", "100"), ("rows", "30")} <= set(stage.query)
    os.close(terminal.descriptor)


def test_ctrl_c_without_a_terminal_inside_ends_the_client_with_130(stage: Stage) -> None:
    def play(connection: ServerConnection) -> None:
        connection.send(b"\1begun\n")
        with suppress(ConnectionClosed):
            connection.recv(timeout=PATIENCE)

    stage.play = play
    terminal = Terminal("logs", "-f", "web")
    terminal.read_until(b"begun")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    os.close(terminal.descriptor)


def test_followed_logs_end_with_the_process(stage: Stage) -> None:
    def play(connection: ServerConnection) -> None:
        connection.send(b"\1one\n")
        connection.send(b"\2two\n")

    stage.play = play
    done = run("logs", "-f", "-n", "5", "web")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\n", b"two\n")
    assert stage.query == [("follow", "1"), ("tail", "5")]


def test_run_in_the_foreground_shows_the_output_and_exits_with_the_code(stage: Stage) -> None:
    ended = {"name": "a", "state": "exited", "exit_code": 4, "error": ""}

    def play(connection: ServerConnection) -> None:
        connection.send(b"\1hello\n")
        connection.send(leave(0))  # The end of the logs, which says nothing about a process that is gone.

    stage.play = play

    stage.rest = [{**ended, "state": "running", "exit_code": None}, ended]

    assert follow_container(Client(find_target()), CONTAINER_ID) == 4


def test_events_are_printed_as_they_come(stage: Stage) -> None:
    event = {"kind": "network", "id": "x1", "change": "created", "at": "2026-11-23T18:27:35Z"}
    stage.play = lambda connection: connection.send(json.dumps(event))
    assert run("events").stdout == b"2026-11-23T18:27:35Z network created x1\n"
    assert json.loads(run("events", "--json").stdout) == event
    assert urlsplit(stage.opened[-1]).path == "/ws/events/"
