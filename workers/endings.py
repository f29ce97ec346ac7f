"""Ends of processes that the server has yet to take notice of."""

from collections.abc import Mapping

from workers.contract.reports import Exit
from workers.contract.state import Container

_UNKNOWN = "The process ended while the worker was away; how is not known."


def find_untaken(
    containers: Mapping[str, Container], ended: Mapping[str, int], ends: Mapping[str, Exit]
) -> list[Exit]:
    """Of containers that the server still wants to run in an incarnation that has `ended`; `ends`: how, where known."""
    return [
        ends.get(id) or Exit(container=id, incarnation=incarnation, code=255, message=_UNKNOWN)
        for id, incarnation in ended.items()
        if (spec := containers.get(id)) and spec.running and spec.incarnation == incarnation
    ]
