"""Signals by the names that people write."""

import signal

from workers.runtimes.errors import Refusal


def parse_signal(name: str) -> int:
    """`TERM`, `SIGTERM` or `15`. Raises Refusal."""
    try:
        if name.isdigit():
            return int(signal.Signals(int(name)))
        return int(signal.Signals["SIG" + name.upper().removeprefix("SIG")])
    except (KeyError, ValueError):
        raise Refusal(f"There is no signal {name!r}; `kill -l` lists them.") from None
