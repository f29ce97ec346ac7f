"""Celery's messages in Redis, as both sides send and take them."""

from pathlib import Path

import redis
from kombu import Connection, Queue

from tests.redis_server import run_redis
from workers.contract.broker import spell_for_kombu
from workers.transport import OPTIONS, KeptClient, use_kept_clients


def test_a_message_is_sent_and_taken_by_kept_clients_and_nothing_of_it_stays(tmp_path: Path) -> None:
    use_kept_clients()
    with (
        run_redis(tmp_path) as url,
        Connection(spell_for_kombu(url), transport_options=OPTIONS) as connection,
        redis.Redis.from_url(url) as beside,
    ):
        queue = Queue("host.node1", no_declare=True)
        channel = connection.channel()
        assert isinstance(channel, KeptClient)
        with connection.Producer(channel) as producer:
            producer.publish({"sealed": 1}, routing_key=queue.name)
            kept = channel._create_client()
            producer.publish({"sealed": 2}, routing_key=queue.name)
        assert channel._create_client() is kept
        assert beside.keys() == [b"host.node1"]
        taken = []
        with connection.Consumer(queue, channel=channel, callbacks=[lambda body, _: taken.append(body)]):
            for _ in range(2):
                connection.drain_events(timeout=20)
        # Neither was acknowledged, and both are gone from Redis all the same.
        assert taken == [{"sealed": 1}, {"sealed": 2}]
        assert beside.keys() == []
        channel._disconnect_pools()
        assert channel._create_client() is not kept
        channel.qos.restore_at_shutdown = False
