"""Reports for a server that is away become one."""

import msgspec

from workers.contract.reports import DRIFT, Look, Report, Restart


def merge(unsent: Report, report: Report) -> Report:
    """One report in place of two: nothing of either is lost that the later does not say anew."""
    return msgspec.structs.replace(
        report,
        outcomes=unsent.outcomes + report.outcomes,
        exits=unsent.exits + report.exits,
        restarts=_merge_restarts(unsent.restarts, report.restarts),
        facts=report.facts or unsent.facts,
        counts=report.counts or unsent.counts,
        request=report.request or unsent.request,
        look=_merge_looks(unsent.look, report.look),
        feeds=unsent.feeds | report.feeds,
        gaps=tuple({*unsent.gaps, *report.gaps}),
        resync=report.resync or unsent.resync,
    )


def _merge_restarts(*told: tuple[Restart, ...]) -> tuple[Restart, ...]:
    """Of each container the latest: a server that is away for long misses thousands of one that fails at once."""
    return tuple({one.container: one for each in told for one in each}.values())


def _merge_looks(unsent: Look | None, look: Look | None) -> Look | None:
    """The later one, with what either put right, newest first."""
    if unsent is None or look is None:
        return look or unsent
    return msgspec.structs.replace(look, mended=(*look.mended, *unsent.mended)[:DRIFT])
