"""The server's Celery app: publishes to the hosts' queues, and takes their reports from its own."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netadmin.settings")

from netadmin.environment import Environment
from workers.transport import OPTIONS, Amqp, use_kept_clients

use_kept_clients()
app = Celery("netadmin", broker=Environment.read().broker_url, amqp=Amqp, task_cls="netadmin.messages:Task")
app.conf.update(
    broker_transport_options=OPTIONS,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_default_queue="server",
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A request must not hang when Redis is away: the record is kept, and the resync delivers it.
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
    beat_schedule={
        "resync": {"task": "apps.delivery.tasks.resync", "schedule": 5.0, "options": {"expires": 5.0}},
        "forget departed": {"task": "apps.delivery.tasks.forget_departed", "schedule": 60.0},
    },
)
app.autodiscover_tasks(["apps.delivery"])
