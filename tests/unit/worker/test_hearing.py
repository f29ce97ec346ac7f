"""A worker that takes nothing of what waits for it ends, and says where its threads were."""

import signal
import subprocess
import sys

import redis

from workers.hearing import EVERY, Hearing

DEAF = """
import threading, time
from workers import hearing, tracing
tracing.configure("worker")
hearing.EVERY = 0.05
def never_returns():
    time.sleep(600)
threading.Thread(target=never_returns, daemon=True).start()
hearing.Hearing(lambda: 3, 0.5).begin()
time.sleep(60)
"""


def test_it_is_deaf_who_takes_nothing_look_after_look_although_something_waits() -> None:
    waiting = 2
    hearing = Hearing(lambda: waiting, 3 * EVERY)
    assert [hearing.look() for _ in range(4)] == [False, False, False, True]


def test_whoever_takes_something_or_has_nothing_to_take_hears() -> None:
    waits = [1, 1, 1, 0, 1, 1, 1]
    hearing = Hearing(lambda: waits.pop(), 3 * EVERY)
    assert not any(hearing.look() for _ in range(7))
    busy = Hearing(lambda: 1000, 3 * EVERY)
    for _ in range(20):
        busy.note(task="any")
        assert not busy.look()


def test_of_a_broker_that_is_away_nobody_hears() -> None:
    def fail() -> int:
        raise redis.ConnectionError

    hearing = Hearing(fail, 3 * EVERY)
    assert not any(hearing.look() for _ in range(20))


def test_the_process_ends_and_says_what_each_thread_was_at() -> None:
    done = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGABRT
    assert "messages wait, and none was taken" in done.stderr
    assert "never_returns" in done.stderr
