"""The far end of the command line: a small HTTP server that records requests and answers as it is told."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result

from netadmin.cli import cli

Invoke = Callable[..., Result]


@dataclass
class Request:
    method: str
    path: str
    query: list[tuple[str, str]]
    authorization: str | None
    body: Any


@dataclass
class FarEnd:
    """`tell` what to answer; `requests` is what was asked."""

    requests: list[Request] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)

    def tell(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Several answers for one place are given in turn, the last one for ever."""
        self.answers.setdefault((method, f"/api/v1/{path}"), []).append((status, body))

    def take(self, method: str, path: str) -> tuple[int, Any]:
        known = self.answers.get((method, path))
        if not known:
            return 404, {"code": "not_found", "message": f"Nothing at {path}.", "field": None}
        return known.pop(0) if len(known) > 1 else known[0]

    @property
    def only(self) -> Request:
        assert len(self.requests) == 1, self.requests
        return self.requests[0]


def make_handler(far_end: FarEnd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            far_end.requests.append(
                Request(
                    self.command,
                    parts.path,
                    parse_qsl(parts.query, keep_blank_values=True),
                    self.headers.get("Authorization"),
                    json.loads(content) if content else None,
                )
            )
            status, body = far_end.take(self.command, parts.path)
            data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if data:
                self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the test's stderr."""

    return Handler


class UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        # HTTPServer would look up a host name, which a Unix socket has not.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = self.socket.accept()
        return connection, ("local", 0)


def serve(server: ThreadingHTTPServer) -> Iterator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No login, no server, no variable of the person who runs the tests; the state directory."""
    for name in [name for name in os.environ if name.startswith("NETADMIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETADMIN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def far_end(clean_environment: Path) -> Iterator[FarEnd]:
    """On the server's own Unix socket, as for the local root."""
    far_end = FarEnd()
    server = UnixServer(str(clean_environment / "web.sock"), make_handler(far_end))  # type: ignore[arg-type]
    yield from (far_end for _ in serve(server))


@pytest.fixture
def remote(clean_environment: Path) -> Iterator[tuple[FarEnd, str]]:
    """On loopback, as for a person elsewhere: what is asked, and its URL."""
    far_end = FarEnd()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(far_end))
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield from ((far_end, url) for _ in serve(server))


@pytest.fixture
def netadmin(clean_environment: Path) -> Invoke:
    """Run a command line in this process: `netadmin("network", "ls")`."""

    def invoke(*words: str, input: str | None = None) -> Result:
        return CliRunner().invoke(cli, words, prog_name="netadmin", input=input)

    return invoke
