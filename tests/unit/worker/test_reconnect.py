"""A broker that is away is tried again soon, however long it was away: by host and server alike."""

import pytest
from celery import Celery
from kombu.utils import functional

from netadmin.celery import app as server
from workers.contract.joining import Configuration
from workers.tasks import make_celery


class Enough(Exception):
    """So many tries tell how it goes on."""


def make_host(folder: str) -> Celery:
    configuration = Configuration(
        host="node1", key="", epoch="", redis_url=f"unix://{folder}/none", state_dir=folder
    )
    return make_celery(configuration)


@pytest.mark.parametrize("side", ["host", "server"])
def test_a_broker_that_is_away_is_tried_again_every_two_seconds(
    side: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path_factory.mktemp("broker"))
    app = make_host(folder) if side == "host" else server
    waits: list[float] = []

    def note(_: Exception, interval: float) -> None:
        waits.append(interval)
        if len(waits) == 8:
            raise Enough

    monkeypatch.setattr(functional, "sleep", lambda _: None)
    with app.connection_for_read(f"redis+socket://{folder}/none") as connection, pytest.raises(Enough):
        connection.ensure_connection(note, app.conf.broker_connection_max_retries)
    assert waits == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert app.conf.broker_connection_max_retries is None
