"""Ends of processes that the server has yet to take notice of."""

from collections.abc import Iterable, Mapping

from workers.contract.reports import Exit
from workers.contract.state import Container, Row

_UNKNOWN = "The process ended while the worker was away; how is not known."


def find_untaken(
    containers: Mapping[str, Container], ended: Mapping[str, int], ends: Mapping[str, Exit]
) -> list[Exit]:
    """Of containers that the server still wants to run in an incarnation that has `ended`; `ends`: how, where known."""
    return [
        _tell(id, incarnation, ends)
        for id, incarnation in ended.items()
        if (spec := containers.get(id)) and spec.running and spec.incarnation == incarnation
    ]


def find_asked(rows: Iterable[Row], ended: Mapping[str, int], ends: Mapping[str, Exit]) -> list[Exit]:
    """Of containers that have `ended`, and whose rows tell that they are stopped.

    The server sends such a row again until it knows how they did."""
    return [
        _tell(row.id, row.spec.incarnation, ends)
        for row in rows
        if isinstance(row.spec, Container)
        and not row.spec.running
        and ended.get(row.id) == row.spec.incarnation
    ]


def _tell(id: str, incarnation: int, ends: Mapping[str, Exit]) -> Exit:
    known = ends.get(id)
    if known is not None and known.incarnation == incarnation:
        return known
    return Exit(container=id, incarnation=incarnation, code=255, message=_UNKNOWN)
