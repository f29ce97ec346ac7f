"""A program on a terminal of its own, at which somebody types."""

import os
import pty
import re
import select
import termios
import time
from collections.abc import Mapping, Sequence

PATIENCE = 30.0
# Shells draw their prompt anew, and ask the terminal where the cursor is.
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._pid, self._end = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], list(command), dict(environment))

    def resize(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self._end, (rows, columns))

    def write(self, text: str) -> None:
        os.write(self._end, text.encode())

    def read_until(self, wanted: str, patience: float = PATIENCE) -> str:
        """What came, up to the pattern and with it, as a person sees it."""
        seen = ""
        deadline = time.monotonic() + patience
        while True:
            text = CONTROLS.sub("", seen).replace("\r", "")
            if re.search(wanted, text):
                return text
            ready, _, _ = select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come in {patience:g} s, but: {text!r}"
            seen += self._read()

    def _read(self) -> str:
        try:
            data = os.read(self._end, 65536)
        except OSError:
            # So Linux says that nobody has the other end any more.
            data = b""
        assert data, "the program has ended"
        return data.decode(errors="replace")

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        deadline = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                os.close(self._end)
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "the program does not end"
            ready, _, _ = select.select([self._end], [], [], 0.05)
            if ready:
                try:
                    os.read(self._end, 65536)
                except OSError:
                    time.sleep(0.05)
