"""How long questions take, by what becomes of them."""

from dataclasses import dataclass, field

from workers.local.timing import QUICK, Stopwatch


def _stopwatch() -> Stopwatch:
    return Stopwatch(QUICK)


@dataclass(slots=True)
class Timings:
    """Seconds from a question to its answer."""

    local: Stopwatch = field(default_factory=_stopwatch)
    """Kept answers each have their share of the wake-up in which they were given together with others."""
    forwarded: Stopwatch = field(default_factory=_stopwatch)
    failed: Stopwatch = field(default_factory=_stopwatch)
    """No server answered, none may be asked, or too many were on their way."""
    malformed: Stopwatch = field(default_factory=_stopwatch)
