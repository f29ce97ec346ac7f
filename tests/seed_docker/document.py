"""The document as somebody follows it: its command lines, one after the other and word by word, and what they print."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.terminal import Terminal

COMMANDS = Path(__file__).with_name("commands.txt")
SHELL, INSIDE, INTERRUPT = "$ ", "/ # ", "^C"
DETACH = "\x10\x11"
"""CTRL-p CTRL-q"""
PROMPT = r"/ # $"
ANSWERED = 1.0
"""Seconds in which an answer would have come."""


def read_lines() -> list[str]:
    """Each with the prompt that it has in the document; a command line of several lines in one."""
    lines: list[str] = []
    for line in COMMANDS.read_text().splitlines():
        if line.startswith((SHELL, INSIDE, INTERRUPT)):
            lines.append(line)
        elif line and not line.startswith("#"):
            lines[-1] += " " + line
    return lines


@dataclass
class Document:
    environment: Mapping[str, str]
    """In which `docker` speaks to the engine, and `python` is there."""
    left: list[str] = field(default_factory=read_lines)

    def expect(self, line: str) -> None:
        assert self.left and self.left[0] == line, (line, self.left[:1])
        self.left.pop(0)

    def run(self, line: str) -> str:
        """The next line of the document, in a shell, where it must succeed; what it printed."""
        self.expect(SHELL + line)
        return self.do_besides(line)

    def do_besides(self, line: str) -> str:
        """A line that the document does not have."""
        done = self.try_besides(line)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout.removesuffix("\n")

    def try_besides(self, line: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(
            command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @contextmanager
    def attached(self, line: str) -> Iterator["Inside"]:
        """At a container's own terminal; it is left running."""
        self.expect(SHELL + line)
        terminal = Terminal(line.split(), self.environment)
        # Its prompt was there before us.
        terminal.write("\n")
        terminal.read_until(PROMPT)
        yield Inside(self, terminal)
        terminal.write(DETACH)
        terminal.read_until("read escape sequence")
        terminal.wait()


@dataclass
class Inside:
    document: Document
    terminal: Terminal

    def type(self, line: str) -> str:
        """The next line of the document, to its end; what it printed."""
        self.document.expect(INSIDE + line)
        return self.type_besides(line)

    def type_besides(self, line: str) -> str:
        self.terminal.write(line + "\n")
        return self._take_output(line, self.terminal.read_until(rf"{re.escape(line)}\n(.|\n)*{PROMPT}"))

    def begin(self, line: str) -> str:
        """The next line of the document, ended with CTRL-c once something has been answered."""
        self.document.expect(INSIDE + line)
        self.terminal.write(line + "\n")
        # What is typed before the prompt is back would be echoed twice.
        seen = self.terminal.read_until(rf"seq=0|bad address(.|\n)*{PROMPT}")
        if "bad address" not in seen:
            self.terminal.write("\x03")
            seen += self.terminal.read_until(PROMPT)
        return self._take_output(line, seen)

    def give_up(self, line: str) -> str:
        """The next line and CTRL-c of the document: nothing is answered while somebody waits."""
        self.document.expect(INSIDE + line)
        self.document.expect(INTERRUPT)
        self.terminal.write(line + "\n")
        seen = self.terminal.read_until(r"data bytes\n")
        time.sleep(ANSWERED)
        self.terminal.write("\x03")
        return self._take_output(line, seen + self.terminal.read_until(PROMPT))

    def _take_output(self, line: str, seen: str) -> str:
        return re.sub(PROMPT, "", seen.partition(f"{line}\n")[2])
