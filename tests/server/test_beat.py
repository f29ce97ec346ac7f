"""Whether the server's worker lives is also whether its beat goes on."""

from types import SimpleNamespace

import pytest
from celery import Celery

from netadmin import worker


def test_a_beat_that_hangs_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    now, shown = 1000.0, []
    monkeypatch.setattr(worker.Turning, "turned", None)
    monkeypatch.setattr(worker.time, "monotonic", lambda: now)
    monkeypatch.setattr(worker.life, "show", lambda: shown.append(now))
    monkeypatch.setattr(worker, "reach_redis", lambda: SimpleNamespace(llen=lambda _: 7))
    assert worker._count_waiting() == 7
    assert shown == [1000.0], "it has not begun: the broker may be away"
    worker.Turning(app=Celery("idle"), lazy=True).tick()
    now += worker.STILL - 1
    worker._count_waiting()
    assert shown == [1000.0, now]
    now += 2
    worker._count_waiting()
    assert len(shown) == 2
