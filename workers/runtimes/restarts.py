"""When a process that has ended by itself is begun again: as Docker's engine does it."""

from workers.contract.state import RestartPolicy

FIRST = 0.1
"""Seconds before the first time; twice as long each further time …"""
LONGEST = 60.0
"""… up to this, …"""
LONG_ENOUGH = 10.0
"""… and from the beginning once a process has run for so many seconds."""


def shall_restart(policy: RestartPolicy, code: int, restarts: int) -> bool:
    """`code`: how it ended; `restarts`: how often it was begun again before."""
    match policy.name:
        case "no":
            return False
        case "on-failure":
            return code != 0 and (not policy.limit or restarts < policy.limit)
        case _:
            return True


def lengthen(delay: float, ran: float) -> float:
    """Seconds to wait, after those of the time before (0: none yet) and a run of `ran` seconds."""
    if not delay or ran >= LONG_ENOUGH:
        return FIRST
    return min(2 * delay, LONGEST)
