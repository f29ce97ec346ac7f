"""Signals by the names that people write."""

import signal

from workers.runtimes.errors import Refusal

_VALID = {int(number): int(number) for number in signal.valid_signals()}


def parse_signal(name: str) -> int:
    """`TERM`, `SIGTERM` or `15`. Raises Refusal."""
    try:
        if name.isdigit():
            # Not all of them have names.
            return _VALID[int(name)]
        return int(signal.Signals["SIG" + name.upper().removeprefix("SIG")])
    except (KeyError, ValueError):
        raise Refusal(f"There is no signal {name!r}; `kill -l` lists them.") from None
