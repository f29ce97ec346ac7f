"""What is said on the control socket: JSON lines, one reply to each request, in order.

A request is an object whose `op` names it; a reply is `{"ok": true, …}` or `{"ok": false, "error", "code"}`, the code
as a shell has it: 127 command not found, 126 not executable, 125 refused, 2 request not understood.
After `watch` the connection carries only events, from the supervisor to the client: lines with an `event`, which is
`exited` or `restarted`.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workers.contract.reports import Exit, Restart
from workers.contract.state import Struct
from workers.planning.objects import Process
from workers.runtimes.errors import Refusal

LOG_LIMIT = 1 << 20
"""Bytes of a log that one reply may hold."""
LINE_LIMIT = 8 << 20
"""Bytes of one request or reply; execve itself takes 2 MiB of arguments and environment at most."""
OUTPUT_LIMIT = 1 << 20
"""Most bytes of output that `run_once` returns."""

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Columns = Annotated[int, Meta(ge=0, le=65535)]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class Request(Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    request: str = ""
    """The id of what it is asked for, for the log: see `workers.tracing`."""


class Start(Process, frozen=True, kw_only=True, tag_field="op", tag="start"):
    """The process of a container; repeated for the same incarnation it changes nothing."""


class Stop(Request, frozen=True, kw_only=True, tag="stop"):
    """SIGTERM now, SIGKILL after `timeout` seconds; answered at once."""

    container: Name
    timeout: Seconds


class End(Request, frozen=True, kw_only=True, tag="end"):
    """SIGKILL whatever is still in a sandbox; answered when nothing is."""

    sandbox: Name


class Signal(Request, frozen=True, kw_only=True, tag="signal"):
    container: Name
    signal: str
    """With or without SIG, or a number: TERM, SIGHUP, 9."""


class Status(Request, frozen=True, kw_only=True, tag="status"):
    pass


class Forget(Request, frozen=True, kw_only=True, tag="forget"):
    """Drop the record of an ended process; with `remains`, its log and its writable layer too."""

    container: Name
    remains: bool = False


class Keep(Request, frozen=True, kw_only=True, tag="keep"):
    """Drop the remains of all but these containers, and of those whose process runs."""

    containers: tuple[str, ...]


class Command(Request, frozen=True, kw_only=True):
    """Something to run inside a sandbox besides the container's own process."""

    container: str = ""
    image: str = ""
    """That of the container; then it runs beside the container's process, and only while that runs."""
    user: str = ""
    """As `Process` has it; only with an image, like `working_dir`. Empty: as the container's process."""
    working_dir: str = ""
    sandbox: str = ""
    hostname: str = ""
    command: tuple[str, ...]
    env: dict[str, str] = {}


class Exec(Command, frozen=True, kw_only=True, tag="exec"):
    """A session whose streams go over Redis."""

    session: Name
    tty: bool = False
    columns: Columns = 80
    rows: Columns = 24


class Detach(Command, frozen=True, kw_only=True, tag="detach"):
    """A command that nobody follows; `exec_state` tells of it, as long as this supervisor runs."""

    session: Name
    tty: bool = False
    columns: Columns = 80
    rows: Columns = 24


class AskExec(Request, frozen=True, kw_only=True, tag="exec_state"):
    """What became of a command that nobody follows."""

    session: Name


class RunOnce(Command, frozen=True, kw_only=True, tag="run_once"):
    """A command without input whose output comes with the reply."""

    timeout: Seconds = 30.0
    limit: Annotated[int, Meta(ge=0, le=OUTPUT_LIMIT)] = OUTPUT_LIMIT
    """Bytes of output to keep."""


class Excerpt(Request, frozen=True, kw_only=True):
    """Of what a container's process has printed."""

    container: Name
    tail: Count | None = None
    """Lines from the end; None: all that are kept."""
    since: Count = 0
    until: Count = 0
    """Nanoseconds since 1970; 0: no limit."""
    timestamps: bool = False
    stdout: bool = True
    stderr: bool = True


class Logs(Excerpt, frozen=True, kw_only=True, tag="logs"):
    """The last 1 MiB of it, both outputs as one."""


class FollowLogs(Excerpt, frozen=True, kw_only=True, tag="follow_logs"):
    """A session."""

    session: Name
    follow: bool = True
    """Until the process has ended; else until all is told that there is."""


class Attach(Excerpt, frozen=True, kw_only=True, tag="attach"):
    """A session; it goes on until the process has ended, and leaves that running when its client goes."""

    session: Name
    incarnation: Count = 0
    """Which process, or a later one: when it does not run yet it is waited for."""
    stdin: bool = False
    stdin_once: bool = False
    """The input of the process ends with that of this client."""


class Resize(Request, frozen=True, kw_only=True, tag="resize"):
    """The terminal of a container's process; nothing if it has none."""

    container: Name
    columns: Columns
    rows: Columns


class Marks(Request, frozen=True, kw_only=True, tag="marks"):
    """By what the processes of a container are known, and those that were begun beside them."""

    container: Name


class Watch(Request, frozen=True, kw_only=True, tag="watch"):
    pass


class Shutdown(Request, frozen=True, kw_only=True, tag="shutdown"):
    """End everything and exit; `timeout` replaces the containers' own stop timeouts."""

    timeout: Seconds | None = None


AnyRequest = (
    Start
    | Stop
    | End
    | Signal
    | Status
    | Forget
    | Keep
    | Exec
    | Detach
    | AskExec
    | RunOnce
    | Logs
    | FollowLogs
    | Attach
    | Resize
    | Marks
    | Watch
    | Shutdown
)


class Done(Struct, frozen=True, kw_only=True):
    ok: bool = True


class Started(Done, frozen=True, kw_only=True):
    pid: int


class Run(Struct, frozen=True, kw_only=True):
    """One process that is running, or has ended and was not forgotten."""

    incarnation: int
    pid: int
    state: Literal["running", "restarting", "exited"]
    """`restarting`: it has ended, and will be begun again."""
    code: int | None
    """As a shell counts: 0–255, 128 + n for signal n; None while it runs."""
    message: str
    started_at: float
    """Unix time in seconds."""
    finished_at: float | None
    restarts: int = 0
    """How often it was begun again by itself, or is about to be."""


def describe(container: str, run: Run, ended: Run | None = None) -> Exit | Restart | None:
    """What is to be told of it, if anything; `ended`: the run before this one, where that is known."""
    last = ended or run
    code, message = last.code or 0, last.message
    if run.state == "exited":
        return Exit(container=container, incarnation=run.incarnation, code=code, message=message)
    if not run.restarts:
        return None
    running = run.state == "running"
    return Restart(
        container=container,
        incarnation=run.incarnation,
        count=run.restarts,
        running=running,
        code=code,
        message=message,
        at=(run.started_at if running else run.finished_at) or 0.0,
    )


class Overview(Done, frozen=True, kw_only=True):
    containers: dict[str, Run]


class Output(Done, frozen=True, kw_only=True):
    code: int
    """As a shell counts; 124 when the time was up, as timeout(1) has it."""
    output: str
    """Both streams in the order they were written, not decodable bytes replaced."""
    truncated: bool


class ExecState(Done, frozen=True, kw_only=True):
    state: Literal["running", "ended", "unknown"]
    code: int | None = None
    """Of one that has ended, as a shell counts."""


class Marked(Done, frozen=True, kw_only=True):
    sessions: tuple[int, ...]
    namespaces: tuple[tuple[int, int], ...]
    """Device and inode."""


class Text(Done, frozen=True, kw_only=True):
    text: str


class Failure(Struct, frozen=True, kw_only=True):
    ok: bool = False
    error: str
    code: int


class Exited(Exit, frozen=True, kw_only=True, tag_field="event", tag="exited"):
    pass


class Restarted(Restart, frozen=True, kw_only=True, tag_field="event", tag="restarted"):
    pass


def encode_event(news: Exit | Restart) -> bytes:
    kind = Exited if isinstance(news, Exit) else Restarted
    return msgspec.json.encode(kind(**msgspec.structs.asdict(news)))


def decode_event(line: bytes) -> Exit | Restart:
    """Raises msgspec.MsgspecError."""
    event = msgspec.json.decode(line, type=Exited | Restarted)
    kind = Exit if isinstance(event, Exit) else Restart
    return kind(**msgspec.structs.asdict(event))


def check_name(kind: str, name: str) -> str:
    """The name, which becomes part of a path, or Refusal."""
    if not _PLAIN.fullmatch(name):
        raise Refusal(
            f"{name!r} is no usable name for a {kind}: letters, digits, '_', '.' and '-' are, after a letter or digit."
        )
    return name


_decoder: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)


def decode_request(line: bytes) -> AnyRequest:
    """Raises msgspec.MsgspecError."""
    return _decoder.decode(line)
