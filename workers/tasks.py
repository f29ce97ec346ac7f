"""The host's Celery app: the tasks on the queue `host.<name>`, and the way back to the server."""

import json
import logging
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import redis
from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_ready
from kombu import Queue
from kombu.exceptions import ChannelError, OperationalError

from workers import __version__
from workers.agent import Agent
from workers.contract.broker import (
    SERVER_QUEUE,
    answer_key,
    queue_of,
    spell_for_kombu,
    with_authority,
)
from workers.contract.envelope import Envelope, Misshapen, Refused, seal, unseal
from workers.contract.joining import Configuration
from workers.contract.questions import Answer, Question
from workers.contract.reports import Report
from workers.contract.state import Delta
from workers.contract.transfers import PATIENCE
from workers.dns.client import NameService, NameServiceError
from workers.garbage import spare_the_loaded
from workers.hearing import Hearing
from workers.images.errors import ImageError
from workers.images.places import folder_of
from workers.images.questions import KINDS as IMAGE_KINDS
from workers.images.questions import answer as answer_about_images
from workers.images.store import Store
from workers.images.transfer import Source
from workers.kernel import inventory, probe
from workers.kernel.errors import KernelError
from workers.life import Life
from workers.rehearsal import rehearse
from workers.runtimes import census
from workers.runtimes.client import Supervisor, SupervisorError
from workers.runtimes.errors import Refusal
from workers.tracing import follow
from workers.transport import OPTIONS, SOCKET_PATIENCE, Amqp, use_kept_clients

log = logging.getLogger(__name__)


DEAF_AFTER = 30.0
"""Seconds in which the host takes none of the messages that wait for it; each takes it no time."""
ANSWERED = 60.0
"""Seconds after which a question is too old to be answered; so long its id is kept, that it is answered once."""
UNREADABLE = (
    f"The server asks for something that this worker (version {__version__}) does not know, and that is not made; "
    "update the worker."
)


def read_configuration(path: Path) -> Configuration:
    """The file, its Redis URL complete with the authority that the broker's certificate must be signed by."""
    configuration = msgspec.json.decode(path.read_bytes(), type=Configuration)
    if not configuration.redis_ca:
        return configuration
    authority = path.with_name("broker.pem")
    if not authority.exists() or authority.read_text() != configuration.redis_ca:
        authority.touch(mode=0o600)
        authority.write_text(configuration.redis_ca)
    return msgspec.structs.replace(
        configuration, redis_url=with_authority(configuration.redis_url, str(authority))
    )


def make_celery(configuration: Configuration) -> Celery:
    """As `make_app`, without tasks."""
    use_kept_clients()
    app = Celery("workers", broker=spell_for_kombu(configuration.redis_url), amqp=Amqp)
    app.conf.update(
        # Declared by the server, who publishes to them: this host's login may not write what all queues share.
        task_queues=[Queue(queue_of(configuration.host), no_declare=True)],
        broker_transport_options=OPTIONS,
        worker_enable_remote_control=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
        task_publish_retry=False,
    )
    return app


def make_app(configuration: Configuration) -> Celery:
    """A Celery app that serves this host alone, with its agent thread started."""
    app = make_celery(configuration)
    state_dir = Path(configuration.state_dir)
    reports = Queue(SERVER_QUEUE, no_declare=True)

    def send(report: Report, awaited: Collection[str]) -> bool:
        envelope = seal(
            unreadable.mark(report), host=configuration.host, key=configuration.key, direction="to-server"
        )
        # First to those who wait: the server's worker finds it taken in then, and has nothing to do.
        _give(answers, [answer_key(configuration.host, name) for name in awaited], envelope)
        try:
            app.send_task("server.report", args=[envelope], queue=reports, argsrepr="(sealed)")  # type: ignore[arg-type]
        except (OperationalError, ChannelError):
            # Away, or unable to take anything, as on a full disk.
            return False
        return True

    answers = redis.Redis.from_url(configuration.redis_url, socket_timeout=SOCKET_PATIENCE)
    # Longer than the wait for a piece of a transfer; not for the agent, who would do nothing else for so long.
    transfers = redis.Redis.from_url(configuration.redis_url, socket_timeout=2 * PATIENCE)
    agent = Agent(
        host=configuration.host,
        state_dir=state_dir,
        dns=state_dir / "dns.sock",
        doors=state_dir / "ports.sock",
        supervisor=state_dir / "supervisor.sock",
        send=send,
        live=Life().show,
    )
    answered, unreadable = Answered(), Unreadable()
    askers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="asker")

    @app.task(name="workers.apply")
    def apply(envelope: Envelope) -> None:
        delta = _open(envelope, Delta, configuration, unreadable)
        if delta is not None:
            agent.put(delta)

    @app.task(name="workers.ask")
    def ask(envelope: Envelope) -> None:
        question = _open(envelope, Question, configuration, unreadable)
        if question is not None and answered.admit(question, time.time()):
            # Some answers take a minute; the next change must not wait for them.
            askers.submit(_answer_question, question, configuration, answers, transfers)

    _attend(Hearing(lambda: answers.llen(queue_of(configuration.host)), DEAF_AFTER))
    agent.start()
    return app


def _attend(hearing: Hearing) -> None:
    """To what Celery tells of its worker."""
    setup_logging.connect(_leave_logging, weak=False)
    worker_ready.connect(lambda **_: spare_the_loaded(), weak=False)
    task_prerun.connect(hearing.note, weak=False)
    hearing.begin()


def _leave_logging(**_: Any) -> None:
    """It is as `workers.tracing` has it; Celery would begin anew with a format of its own."""


class Answered:
    """Which questions were answered lately: one that comes again would run its command again."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def admit(self, question: Question, now: float) -> bool:
        """Whether it is new and not old; `now` and its `at` are seconds since 1970."""
        self._at = {id: at for id, at in self._at.items() if abs(now - at) < 2 * ANSWERED}
        if abs(now - question.at) > ANSWERED or question.id in self._at:
            log.warning("refused a question that is old, or was answered before")
            return False
        self._at[question.id] = question.at
        return True


class Unreadable:
    """Whether the server lately sent what a worker of this version cannot read: it is sent again and again then."""

    def __init__(self) -> None:
        self._until = 0.0

    def note(self) -> None:
        self._until = time.monotonic() + ANSWERED

    def mark(self, report: Report) -> Report:
        """The report, with a sentence about it among its problems."""
        if time.monotonic() > self._until:
            return report
        return msgspec.structs.replace(report, problems=(UNREADABLE, *report.problems))


def _open(
    envelope: Envelope, expected: type[Any], configuration: Configuration, unreadable: Unreadable
) -> Any:
    try:
        return unseal(envelope, expected, host=configuration.host, key=configuration.key, direction="to-host")
    except Misshapen as error:
        log.warning("cannot read a message of the server: %s", error)
        unreadable.note()
        return None
    except Refused as error:
        log.warning("refused a message: %s", error)
        return None


def _answer_question(
    question: Question, configuration: Configuration, answers: redis.Redis, transfers: redis.Redis
) -> None:
    with follow(question.request):
        answer = _answer(question, configuration, transfers)
        log.info("question %s: %s", question.kind, "answered" if answer.ok else f"refused with {answer.code}")
    sealed = seal(answer, host=configuration.host, key=configuration.key, direction="to-server")
    _give(answers, [answer_key(configuration.host, question.id)], sealed)


def _give(answers: redis.Redis, keys: Sequence[str], sealed: Envelope) -> None:
    """Put it where the server waits for it; who has stopped waiting finds nothing after a minute."""
    if not keys:
        return
    text = json.dumps(sealed)
    try:
        with answers.pipeline() as pipe:
            for key in keys:
                pipe.lpush(key, text)
                pipe.expire(key, 60)
            pipe.execute()
    except redis.RedisError as error:
        log.warning("an answer could not be given: %s", error)


def _answer(question: Question, configuration: Configuration, transfers: redis.Redis) -> Answer:
    """What the supervisor, the name service, the image store or the kernel says to a question of the server."""
    state_dir, arguments = Path(configuration.state_dir), dict(question.arguments)
    result: dict[str, Any] | None
    try:
        if question.kind in IMAGE_KINDS:
            source = Source(transfers, configuration.host, configuration.key)
            result = answer_about_images(question.kind, arguments, Store(folder_of(state_dir)), source)
        else:
            result = _look_up(question.kind, arguments, state_dir)
    except (SupervisorError, ImageError, Refusal) as error:
        return Answer(id=question.id, ok=False, error=str(error), code=error.code)
    except (NameServiceError, KernelError, OSError, redis.RedisError) as error:
        return Answer(id=question.id, ok=False, error=str(error), code=500)
    except (TypeError, KeyError, ValueError) as error:
        return Answer(
            id=question.id, ok=False, error=f"The question {question.kind!r} is incomplete: {error}."
        )
    except Exception:
        # Whoever asked waits.
        log.exception("question %s failed", question.kind)
        return Answer(
            id=question.id, ok=False, error="The host failed at this; its worker's log says why.", code=500
        )
    if result is None:
        return Answer(id=question.id, ok=False, error=f"This host knows no question {question.kind!r}.")
    return Answer(id=question.id, ok=True, result=result)


def _look_up(kind: str, arguments: dict[str, Any], state_dir: Path) -> dict[str, Any] | None:
    """None: not a question that is known here."""
    supervisor = Supervisor(str(state_dir / "supervisor.sock"), timeout=90.0)
    match kind:
        case "logs":
            return {"text": supervisor.logs(**arguments)}
        case "run_once":
            return dict(msgspec.to_builtins(supervisor.run_once(**arguments)))
        case "exec":
            return {"pid": supervisor.exec(**arguments)}
        case "detach":
            return {"pid": supervisor.detach(**arguments)}
        case "exec_state":
            found = supervisor.exec_state(**arguments)
            return {"state": found.state, "code": found.code}
        case "follow_logs":
            supervisor.follow_logs(**arguments)
            return {}
        case "attach":
            supervisor.attach(**arguments)
            return {}
        case "resize":
            supervisor.resize(**arguments)
            return {}
        case "signal":
            supervisor.signal(**arguments)
            return {}
        case "list_processes":
            options = arguments.pop("options")
            return census.show(census.list_members(supervisor, **arguments, fresh=True), options)
        case "read_use":
            return _read_use(supervisor, **arguments)
        case "explain_names":
            return {"answers": _explain_names(state_dir, **arguments)}
        case "measure":
            return dict(probe.measure(**arguments))
        case "read_interfaces":
            return dict(probe.read_interfaces(**arguments))
        case "list_links":
            return {"links": inventory.list_links(**arguments)}
        case "plan":
            return rehearse(state_dir, **arguments)
        case _:
            return None


def _read_use(supervisor: Supervisor, container: str, sandbox: str) -> dict[str, Any]:
    used = census.measure(census.list_members(supervisor, container, sandbox, fresh=False))
    interfaces = probe.read_interfaces([sandbox]).get(sandbox, []) if sandbox else []
    return {**used, "interfaces": interfaces}


def _explain_names(state_dir: Path, asked: list[dict[str, str]], type: str) -> list[dict[str, Any]]:
    found = []
    with closing(NameService(str(state_dir / "dns.sock"))) as names:
        for each in asked[: probe.MOST_PAIRS]:
            try:
                found.append(names.explain(each["container"], each["name"], type))
            except NameServiceError as error:
                found.append({"error": str(error)})
    return found
