"""The asking side's counterpart: a thread that takes a host's questions off its queue, as a worker does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from kombu import Connection

from apps.hosts.models import Host
from netadmin.environment import Environment
from workers.contract.broker import answer_key
from workers.contract.envelope import Refused, seal, unseal
from workers.contract.questions import Answer, Question

Answering = Callable[[Question, redis.Redis], Answer | None]


@contextmanager
def answering_worker(host: Host, answering: Answering, *, key: str | None = None) -> Iterator[list[Question]]:
    """Yields the questions that were asked. `key`: another than the host's own, to forge answers with."""
    environment = Environment.read()
    asked: list[Question] = []
    over = threading.Event()

    def serve() -> None:
        answers = redis.Redis.from_url(environment.channel_url)
        with (
            Connection(environment.broker_url) as connection,
            connection.SimpleQueue(f"host.{host.name}") as queue,
        ):
            while not over.is_set():
                try:
                    message = queue.get(timeout=0.2)
                except queue.Empty:
                    continue
                message.ack()
                if message.headers["task"] != "workers.ask":
                    continue
                [[envelope], *_] = message.payload
                try:
                    question = unseal(envelope, Question, host=host.name, key=host.key, direction="to-host")
                except Refused:  # Left over from an earlier test, whose host had another key.
                    continue
                asked.append(question)
                answer = answering(question, answers)
                if answer is not None:
                    sealed = seal(answer, host=host.name, key=key or host.key, direction="to-server")
                    answers.lpush(answer_key(host.name, question.id), json.dumps(sealed))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
