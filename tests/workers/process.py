"""An agent in a process of its own, so that it can be killed: deltas come in by stdin, reports go out by stdout.

`python -m tests.workers.process FOLDER`; the line `look` asks for a full look.
"""

import logging
import sys
from collections.abc import Collection
from pathlib import Path

import msgspec

from workers.agent import Agent
from workers.contract.reports import Report
from workers.contract.state import Delta


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    folder = Path(sys.argv[1])
    deaf = folder / "deaf"

    def send(report: Report, awaited: Collection[str]) -> bool:
        if deaf.exists():
            return False
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        sys.stdout.flush()
        return True

    agent = Agent(
        host="here",
        state_dir=folder,
        dns=folder / "dns.sock",
        doors=folder / "ports.sock",
        supervisor=folder / "supervisor.sock",
        send=send,
    )
    agent.start()
    for line in sys.stdin:
        agent.put("look" if line == "look\n" else msgspec.json.decode(line, type=Delta))


if __name__ == "__main__":
    main()
