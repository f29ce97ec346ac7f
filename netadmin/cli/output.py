"""What goes to stdout: tables, JSON, ages."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

SHORT_ID = 12
_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (365, "day"))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Left-aligned columns, three blanks apart; no blanks at the end of a line."""
    lines = [list(heads), *([_flatten(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("   ".join(padded).rstrip())


def print_plans(plans: Iterable[Mapping[str, Any]]) -> None:
    """What hosts would do, a line each."""
    said = False
    for plan in plans:
        if plan["problem"]:
            click.echo(f"{plan['host']}: cannot say: {plan['problem']}", err=True)
            continue
        for operation in plan["operations"]:
            said = True
            click.echo(_flatten(f"{plan['host']}: {operation['text']}"))
        if more := plan["total"] - len(plan["operations"]):
            click.echo(f"{plan['host']}: … and {more} more")
    if not said:
        click.echo("Nothing to do on any host.", err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=4, ensure_ascii=False))


def shorten(identity: str, whole: bool) -> str:
    return identity if whole else identity[:SHORT_ID]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts net2 before net10, as people and Docker do."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part
    ]


def describe_age(moment: str | None, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time was: `5 minutes`; empty for None."""
    if not moment:
        return ""
    left = max(0, int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()))
    for size, unit in _STEPS:
        if left < size or unit == "day":
            return f"{left} {unit}" + ("" if left == 1 else "s")
        left //= size
    raise AssertionError("unreachable: days have no upper bound")


def _flatten(cell: str) -> str:
    """Control characters of a name or message must not reach the terminal, nor break the table."""
    return "".join(letter if letter.isprintable() else "?" for letter in cell)
