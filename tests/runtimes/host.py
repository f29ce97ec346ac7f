"""What the tests of the supervisor act with: a supervisor that can be killed and comes back, and a session's client."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import redis

from workers.contract.state import RestartPolicy
from workers.planning.objects import Process
from workers.runtimes.__main__ import STREAMS
from workers.runtimes.client import Supervisor

HOST = "alpha"
MARK = "NETADMIN_TEST_MARK"
PATIENCE = 20.0
SOFT_LIMIT = 900
NEVER = RestartPolicy()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)


def find_marked(mark: str) -> set[int]:
    """Processes that run with the mark in their environment."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            # A zombie's is empty.
            if f"{MARK}={mark}".encode() in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.add(int(name))
        except OSError:
            continue
    return found


class Machine:
    """A host with a supervisor."""

    def __init__(self, folder: Path, redis_url: str | None) -> None:
        self.folder = folder
        self.mark = folder.name
        self._redis_url = redis_url
        self.client = Supervisor(str(folder / "socket"), timeout=PATIENCE)
        self.boot()

    def boot(self) -> None:
        # A soft limit that differs from the hard one, to see whom the raised one reaches.
        command = [
            "prlimit",
            f"--nofile={SOFT_LIMIT}:",
            sys.executable,
            "-m",
            "workers.runtimes",
            "--socket",
            str(self.folder / "socket"),
        ]
        command += ["--state-dir", str(self.folder / "state"), "--host", HOST]
        environment = {**os.environ, **({STREAMS: self._redis_url} if self._redis_url else {})}
        (self.folder / "socket").unlink(missing_ok=True)
        self.supervisor = subprocess.Popen(command, env=environment)
        wait_until((self.folder / "socket").exists, "the control socket is there")
        wait_until(self._answers, "the supervisor answers")

    def _answers(self) -> bool:
        try:
            self.client.status()
        except Exception:
            assert self.supervisor.poll() is None, "the supervisor ended"
            return False
        return True

    def crash(self) -> None:
        self.supervisor.kill()
        self.supervisor.wait()

    def process(
        self,
        *command: str,
        container: str = "web",
        sandbox: str = "box",
        incarnation: int = 1,
        timeout: float = 5.0,
        restart: RestartPolicy = NEVER,
        **streams: bool,
    ) -> Process:
        process = Process(
            container=container,
            sandbox=sandbox,
            hostname="webhost",
            incarnation=incarnation,
            command=command,
            env={MARK: self.mark},
            stop_timeout=timeout,
            restart=restart,
        )
        return msgspec.structs.replace(process, **streams)

    def start(self, script: str, **options: object) -> int:
        return self.client.start(self.process("sh", "-c", script, **options))  # type: ignore[arg-type]

    def wait_for_log(self, text: str, container: str = "web") -> str:
        wait_until(lambda: text in self.client.logs(container), f"{text!r} is in the log")
        return self.client.logs(container)

    def wait_for_end(self, container: str = "web") -> int:
        wait_until(lambda: self.client.status()[container].state == "exited", f"{container} ends")
        code = self.client.status()[container].code
        assert code is not None
        return code

    def wait_for_processes(self, count: int) -> set[int]:
        wait_until(lambda: len(find_marked(self.mark)) == count, f"{count} processes run")
        return find_marked(self.mark)

    def close(self) -> None:
        """Shut down; whatever the test left running is an error of the supervisor."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
            assert self.supervisor.wait(PATIENCE) == 0
        wait_until(lambda: not find_marked(self.mark), "no process is left")


class Session:
    """The client's end of a session."""

    def __init__(self, url: str, id: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=None)
        prefix = f"netadmin:stream:{HOST}:{id}"
        self._in = f"{prefix}:in"
        self._pubsub = self._redis.pubsub()  # type: ignore[no-untyped-call]
        self._pubsub.subscribe(f"{prefix}:out")
        assert self._pubsub.get_message(timeout=PATIENCE)
        self.output = {1: b"", 2: b""}
        self.code: int | None = None
        self.ended = False
        self.largest = 0

    def send(self, kind: int, data: bytes = b"") -> None:
        assert self._redis.publish(self._in, bytes((kind,)) + data) == 1, "the supervisor does not listen"

    def send_json(self, kind: int, **content: object) -> None:
        self.send(kind, json.dumps(content).encode())

    def listeners(self) -> int:
        """On the supervisor's side."""
        return int(self._redis.pubsub_numsub(self._in)[0][1])

    def read(self, until: Callable[[], object]) -> None:
        """Take frames until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline, f"nothing more came after {self.output}"
            message = self._pubsub.get_message(timeout=0.1)
            if message is None:
                continue
            assert not self.ended, "a frame came after the exit"
            kind, data = message["data"][0], message["data"][1:]
            self.largest = max(self.largest, len(data))
            if kind == 3:
                self.ended = True
                self.code = json.loads(data)["code"]
            else:
                self.output[kind] += data

    def read_until(self, text: bytes) -> None:
        self.read(lambda: text in self.output[1])

    def read_to_end(self) -> int:
        self.read(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    def close(self) -> None:
        self._pubsub.close()
        self._redis.close()
