"""The whole product in a temporary state directory, spoken to over its Unix socket."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE = 90.0
IDLE = 2.0
"""Seconds without a request after which a connection is made anew: the server drops it after 5."""


class Rest(http.client.HTTPConnection):
    """One kept connection of the local administrator."""

    def __init__(self, path: Path, prefix: str = "/api/v1/") -> None:
        super().__init__("localhost", timeout=60)
        self._path, self._prefix = path, prefix
        self._used = 0.0

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; what is not done when it comes (202, or an error) is an error here."""
        if time.monotonic() - self._used > IDLE:
            self.close()
        headers = {"Content-Type": "application/json", "Host": "localhost"}
        self.request(method, f"{self._prefix}{path}", json.dumps(body or {}), headers)
        response = self.getresponse()
        text = response.read()
        self._used = time.monotonic()
        if response.status not in (200, 201, 204):
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()[:500]}")
        return json.loads(text) if text else None


class Product:
    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="netadmin-bench-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.begin()
        self._await_up()

    def begin(self) -> None:
        variables = {
            **os.environ,
            "NETADMIN_STATE_DIR": str(self._folder),
            "NETADMIN_HOST_NAME": "bench",
            "NETADMIN_LISTEN": "127.0.0.1:8000",
        }
        with (self._folder / "launcher.log").open("wb") as log:
            command = [sys.executable, "-m", "netadmin.launcher"]
            self._process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)

    def _await_up(self) -> None:
        assert self._process is not None
        end = time.monotonic() + PATIENCE
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self._folder / "launcher.log").read_text())
            time.sleep(0.05)

    def _is_up(self) -> bool:
        try:
            found = self.rest().ask("GET", "hosts/bench/")
        except (OSError, RuntimeError, http.client.HTTPException):
            return False
        return bool(found["last_seen"])

    def rest(self) -> Rest:
        return Rest(self._folder / "web.sock")

    def stop(self) -> None:
        self.end()
        shutil.rmtree(self._folder)

    def end(self) -> None:
        """All that is recorded stays, for another `start`."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
