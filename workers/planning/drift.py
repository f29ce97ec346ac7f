"""What something else had changed on the host, in sentences for a person. Pure."""

from collections.abc import Collection

from workers.planning.desired import Desired
from workers.planning.objects import Key, Objects
from workers.planning.words import Known, describe

UNSEEN = ("name", "listener", "process")
"""Kinds that are not looked for in the kernel; ends of processes are told as such."""


def find_drift(
    known: Objects, found: Objects, wanted: Objects, failed: Collection[Key], desired: Desired
) -> list[str]:
    """What is not as it was known to be (failures, which were told before, apart), and what nobody asked for."""
    sentences, names = [], Known(desired)
    for key, item in known.items():
        if key[0] in UNSEEN or key in failed or found.get(key) == item:
            continue
        change = "had been changed" if key in found else "had been removed"
        sentences.append(
            f"The {describe(item, names).what} {change} by something else on this host; it was put right."
        )
    if known:
        strangers = [item for key, item in found.items() if key not in known and key not in wanted]
        sentences += [
            f"The {describe(item, names).what} had been added by something else on this host; it was removed."
            for item in strangers
            if item.kind not in UNSEEN
        ]
    return sentences
