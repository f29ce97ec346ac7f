"""Reports for a server that is away."""

from workers.contract.reports import Exit, Report, Restart
from workers.merging import merge


def restart(container: str, count: int) -> Restart:
    return Restart(container=container, incarnation=1, count=count, running=False, code=1)


def report(**content: object) -> Report:
    return Report(host="node1", epoch="e", acked=1, **content)  # type: ignore[arg-type]


def test_of_what_is_begun_again_and_again_only_the_last_time_is_kept() -> None:
    merged = report(restarts=(restart("a", 1), restart("b", 1)))
    for count in range(2, 1000):
        merged = merge(merged, report(restarts=(restart("a", count),)))
    assert sorted(merged.restarts, key=lambda one: one.container) == [restart("a", 999), restart("b", 1)]


def test_no_exit_is_lost() -> None:
    exits = [Exit(container="a", incarnation=number, code=1) for number in (1, 2)]
    merged = merge(report(exits=(exits[0],)), report(exits=(exits[1],)))
    assert list(merged.exits) == exits
