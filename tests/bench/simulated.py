"""`python -m tests.bench.simulated URL KEYS NETWORK`: many hosts' queues, opened as their workers do.

Prints "ready", and for each revision of the network's feed a line of JSON when the last host has taken it in.
"""

import base64
import json
import sys
import time
from pathlib import Path

import redis

from workers.contract.envelope import unseal
from workers.contract.state import Delta
from workers.intake import Intake


def main() -> None:
    url, keys_file, network = sys.argv[1:]
    keys: dict[str, str] = json.loads(Path(keys_file).read_text())
    client = redis.Redis.from_url(url, socket_timeout=None)
    queues = [f"host.{name}" for name in keys]
    intakes: dict[str, Intake] = {}
    arrivals: dict[int, list[float]] = {}
    sizes: dict[int, int] = {}
    print("ready", flush=True)
    while True:
        queue, text = client.brpop(queues)
        queues.append(queues.pop(queues.index(queue.decode())))
        [[envelope], *_] = json.loads(base64.b64decode(json.loads(text)["body"]))
        name = queue.decode().removeprefix("host.")
        delta = unseal(envelope, Delta, host=name, key=keys[name], direction="to-host")
        if delta.feed != network or delta.full:
            continue
        intake = intakes.setdefault(name, Intake(delta.epoch, delta.base, {}))
        assert intake.accept(delta) is not None
        times = arrivals.setdefault(delta.revision, [])
        times.append(time.monotonic())
        sizes[delta.revision] = sizes.get(delta.revision, 0) + len(text)
        if len(times) == len(keys):
            found = {"median": times[len(times) // 2], "last": times[-1], "bytes": sizes[delta.revision]}
            print(json.dumps({**found, "hosts": len(keys)}), flush=True)


if __name__ == "__main__":
    main()
