"""Celery's messages in Redis, as both sides send and take them."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from netadmin.celery import app as netadmin_app
from tests.redis_server import run_redis
from tests.relay import run_relay
from workers.contract.broker import spell_for_kombu
from workers.contract.joining import Configuration
from workers.tasks import make_celery
from workers.transport import OPTIONS, KeptClient, use_kept_clients


def test_a_message_is_sent_and_taken_by_kept_clients_and_nothing_of_it_stays(tmp_path: Path) -> None:
    use_kept_clients()
    with (
        run_redis(tmp_path) as url,
        Connection(spell_for_kombu(url), transport_options=OPTIONS) as connection,
        redis.Redis.from_url(url) as beside,
    ):
        work = Queue("host.node1", no_declare=True)
        channel = connection.channel()
        assert isinstance(channel, KeptClient)
        with connection.Producer(channel) as producer:
            producer.publish({"sealed": 1}, routing_key=work.name)
            kept = channel._create_client()
            producer.publish({"sealed": 2}, routing_key=work.name)
        assert channel._create_client() is kept
        assert beside.keys() == [b"host.node1"]
        taken = []
        with connection.Consumer(work, channel=channel, callbacks=[lambda body, _: taken.append(body)]):
            for _ in range(2):
                connection.drain_events(timeout=20)
        # Neither was acknowledged, and both are gone from Redis all the same.
        assert taken == [{"sealed": 1}, {"sealed": 2}]
        assert beside.keys() == []
        channel._disconnect_pools()
        assert channel._create_client() is not kept
        channel.qos.restore_at_shutdown = False


@contextmanager
def hearing(url: str) -> Iterator["queue.Queue[str]"]:
    """A host's Celery, in a process of its own: what it hears."""
    command = [sys.executable, "-m", "tests.server.delivery.hearing", url]
    heard: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        reader = threading.Thread(target=lambda: [heard.put(line.strip()) for line in lines])
        reader.start()
        try:
            yield heard
            assert process.poll() is None
        finally:
            process.kill()
            reader.join()


def test_a_host_whose_connection_is_dead_without_being_closed_soon_hears_again(tmp_path: Path) -> None:
    """Within 11 s; here all that it waits for is a fifth of what it is."""
    assert 1 + 2 * float(str(OPTIONS["health_check_interval"])) == 11
    for app in (make_celery(Configuration(host="h", key="", epoch="", redis_url="redis://h")), netadmin_app):
        assert app.conf.broker_transport_options == OPTIONS
    use_kept_clients()
    with run_redis(tmp_path) as url, run_relay(tmp_path / "relay.sock", tmp_path / "redis.sock") as relay:
        server = Celery(broker=spell_for_kombu(url))
        server.conf.broker_transport_options = OPTIONS

        def await_word(heard: "queue.Queue[str]") -> None:
            """Say it again and again: what comes to a dead connection is lost."""
            deadline = time.monotonic() + 20
            while heard.empty():
                assert time.monotonic() < deadline, "it is deaf"
                server.send_task("workers.apply", args=[1], queue="host.node1")
                time.sleep(0.1)

        with hearing(f"unix://{tmp_path / 'relay.sock'}") as heard:
            await_word(heard)
            relay.silence()
            time.sleep(0.2)
            while not heard.empty():
                heard.get()
            await_word(heard)


def test_who_publishes_to_what_never_answers_is_told_so(tmp_path: Path) -> None:
    use_kept_clients()
    assert OPTIONS["socket_timeout"] == OPTIONS["socket_connect_timeout"] == 5
    options = {**OPTIONS, "socket_timeout": float(str(OPTIONS["socket_timeout"])) / 10}
    with run_redis(tmp_path), run_relay(tmp_path / "relay.sock", tmp_path / "redis.sock") as relay:
        app = Celery(broker=spell_for_kombu(f"unix://{tmp_path / 'relay.sock'}"))
        app.conf.update(broker_transport_options=options, task_publish_retry=False)
        app.send_task("workers.apply", queue="host.node1")
        relay.silence()
        with pytest.raises(OperationalError):
            app.send_task("workers.apply", queue="host.node1")
        app.send_task("workers.apply", queue="host.node1")
