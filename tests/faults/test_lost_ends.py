"""How a process ended becomes known although the report of it dies with everybody who has taken it."""

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import redis

from tests.faults.kills import FULL, Answer, eventually, settle
from tests.faults.life import clear
from tests.faults.points import POINTS
from tests.product import Product


@contextmanager
def held(product: Product) -> Iterator[None]:
    """Nobody else can write to the record: what is taken from the queue is taken in no further."""
    with closing(sqlite3.connect(product.state_dir / "netadmin.sqlite3", timeout=20)) as record:
        record.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            record.rollback()


def kill(product: Product, *parts: str) -> None:
    old = {part: product.find_part(part) for part in parts}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)


def await_taking(product: Product) -> None:
    """What the host has reported was taken from the queue, by a server worker that cannot write it down."""
    with redis.Redis(unix_socket_path=str(product.state_dir / "redis" / "redis.sock")) as broker:
        eventually(lambda: broker.llen("server") == 0)
    # It has been given to it; now it comes to the record.
    time.sleep(0.3)


def read_end(product: Product) -> tuple[str, int | None]:
    status, text = product.ask("GET", "containers/one/")
    told = json.loads(text) if status == 200 else {}
    return told.get("state", ""), told.get("exit_code")


def run(product: Product, *command: str) -> None:
    body = {"name": "one", "start": True, "command": list(command), "stop_timeout": 20.0}
    assert product.ask("POST", "containers/", body)[0] == 201


@pytest.fixture(autouse=True)
def nothing_left(product: Product) -> Iterator[None]:
    yield
    clear(product)


def end_by_itself(product: Product) -> int:
    """The server worker is killed. The exit code that shall become known."""
    run(product, "sleep", "1000")
    found = subprocess.run(["ip", "netns", "pids", "one"], capture_output=True, text=True, check=True)
    with POINTS["reported"](product) as reported, held(product):
        for pid in found.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        assert reported(lambda: False)
        await_taking(product)
        kill(product, "server worker")
    return 128 + signal.SIGKILL


def end_as_asked(product: Product) -> int:
    """Both who wait for it are killed: the request that asked, and the server worker."""
    run(product, "sh", "-c", "trap 'sleep 2; exit 3' TERM; while :; do sleep 0.1; done")
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(product.ask("POST", "containers/one/stop/", {})))
    with POINTS["remembered"](product) as remembered, POINTS["reported"](product) as reported:
        asking.start()
        assert remembered(lambda: False)
        with held(product):
            assert reported(lambda: False)
            await_taking(product)
            kill(product, "server worker", "web server")
    asking.join()
    return 3


@pytest.mark.parametrize("end", [end_by_itself, end_as_asked] if FULL else [end_by_itself])
def test_an_end_whose_report_dies_with_who_took_it_becomes_known(
    product: Product, end: Callable[[Product], int]
) -> None:
    code = end(product)
    began = time.monotonic()
    eventually(lambda: read_end(product) == ("exited", code))
    settle(product, end.__name__)
    print(f"{time.monotonic() - began:5.1f} s  {end.__name__}")
