"""One id from a request to what a host's kernel does for it, and the logs in which it can be followed.

Every process of ours writes its log by this module: to stderr, as lines for people or as JSON for programs, each with
the id of the request that it is about. The settings are the environment's, which a process hands on to those that
it starts.
"""

import contextvars
import faulthandler
import json
import logging
import os
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
"""What is taken from others as an id: a word that means nothing in a log, a path or a terminal."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What could begin a line of its own, or speak to a terminal."""
MOST = 8
"""Ids that one piece of work goes by when it was asked for by several requests at once."""
OURS = ("apps", "netadmin", "workers")
FORMS, LEVELS = ("lines", "json"), ("debug", "info", "warning", "error")
_request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="")
_process = "netadmin"


def make_id() -> str:
    return uuid.uuid4().hex


def current() -> str:
    """The id of what is being done; empty: nobody asked for it."""
    return _request.get()


@contextmanager
def follow(*requests: str) -> Iterator[None]:
    """What happens within is done for these."""
    known = list(dict.fromkeys(request for request in requests if request))
    token = _request.set(",".join(known[:MOST]))
    try:
        yield
    finally:
        _request.reset(token)


class _Marked(msgspec.Struct):
    op: str = ""
    request: str = ""


_marked = msgspec.json.Decoder(_Marked)


def mark(line: bytes) -> bytes:
    """A JSON object, as it goes to a service of this host, with the id of what it is asked for."""
    request = current()
    return line[:-1] + b',"request":' + msgspec.json.encode(request) + b"}" if request else line


def read_mark(line: bytes) -> tuple[str, str]:
    """(what is asked, the id) of such a line; empty where there is none."""
    try:
        marked = _marked.decode(line)
    except msgspec.MsgspecError:
        return "", ""
    return marked.op, marked.request


def _escape(text: str) -> str:
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Lines(logging.Formatter):
    """One line each, with the id at its end; only what Python says of an exception takes more, which are indented: what
    an exception tells may be anybody's."""

    def format(self, record: logging.LogRecord) -> str:
        request = current()
        end = f" [{request}]" if request else ""
        text = _escape(record.getMessage())
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname} {record.name} {text}{end}"
        if not record.exc_info:
            return line
        told = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"    {_escape(each)}" for each in told)])


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, process, logger, message, and request and error where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": _process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := current():
            told["request"] = request
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def make_formatter(form: str) -> logging.Formatter:
    return JsonLines() if form == "json" else Lines()


def name_process(name: str) -> None:
    """What this process is called in its log, in which Python's own warnings stand as all others."""
    global _process
    _process = name
    # Who takes it for hanging sends SIGABRT, after which its log says what each thread was at.
    faulthandler.enable()
    logging.captureWarnings(True)


def configure(process: str) -> None:
    """Write the log of this process to stderr as NETADMIN_LOG_FORMAT and NETADMIN_LOG_LEVEL say."""
    name_process(process)
    form = _choose("NETADMIN_LOG_FORMAT", FORMS, "lines")
    level = _choose("NETADMIN_LOG_LEVEL", LEVELS, "warning")
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter(form))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())


def _choose(name: str, words: Iterable[str], usual: str) -> str:
    chosen = os.environ.get(name) or usual
    if chosen not in words:
        sys.exit(f"Error: {name} must be one of {', '.join(words)}, not {chosen!r}.")
    return chosen
