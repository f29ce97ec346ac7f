"""The id of a request, and the lines that bear it."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from workers.tracing import MOST, JsonLines, Lines, current, follow, mark, read_mark


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("workers.agent", logging.WARNING, "", 0, message, arguments, None)


def test_what_happens_within_is_done_for_those_who_asked_and_nothing_after() -> None:
    assert current() == ""
    with follow("one", "", "two", "one"):
        assert current() == "one,two"
        with follow("three"):
            assert current() == "three"
        assert current() == "one,two"
    assert current() == ""
    with follow(*(str(number) for number in range(100))):
        assert len(current().split(",")) == MOST


def test_a_request_to_a_service_bears_the_id_and_one_without_is_as_it_was() -> None:
    line = b'{"op":"update","set":[]}'
    assert mark(line) == line
    with follow("order-1"):
        marked = mark(line)
    assert json.loads(marked) == {"op": "update", "set": [], "request": "order-1"}
    assert read_mark(marked) == ("update", "order-1")
    assert read_mark(line) == ("update", "")
    assert read_mark(b"[]") == read_mark(b'{"op": 3}') == ("", "")


@example("a\u2028b\u2029c\x85d\x1b[31me")
@given(some.text())
def test_whatever_is_said_is_one_line(text: str) -> None:
    with follow("order-1"):
        line = Lines().format(record("%s", text))
        told: dict[str, Any] = json.loads(JsonLines().format(record("%s", text)))
    assert len(line.splitlines()) == 1 and "\x1b" not in line and line.endswith(" [order-1]")
    assert "\n" not in JsonLines().format(record("%s", text))
    assert (told["message"], told["request"], told["level"]) == (text, "order-1", "warning")


@example("a\n2026-11-26T00:00:00.000+00:00 ERROR workers.agent forged\u2028b\x1b[31m")
@given(some.text())
def test_what_an_exception_tells_begins_no_line_of_its_own(text: str) -> None:
    made = record("it failed")
    try:
        raise ValueError(text)
    except ValueError:
        made.exc_info = sys.exc_info()
    first, *others = Lines().format(made).splitlines()
    assert first.endswith("it failed") and others and all(each.startswith("    ") for each in others)
    assert "\x1b" not in "".join(others)


@pytest.mark.parametrize("variable", ["NETADMIN_LOG_FORMAT", "NETADMIN_LOG_LEVEL"])
def test_a_wrong_setting_ends_a_process_of_a_host_with_a_sentence(variable: str) -> None:
    code = "from workers.tracing import configure; configure('names')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={variable: "loud"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {variable} must be one of ") and "'loud'" in done.stderr
