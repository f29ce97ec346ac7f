"""What every benchmark gives: figures, each beside its reference of the same run."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[2] / "build" / "bench.json"


@dataclass(frozen=True)
class Figure:
    name: str
    ours: float
    unit: str
    reference: float
    reference_name: str
    ratio: float
    runs: int


def compare(name: str, ours: Sequence[float], unit: str, reference: Sequence[float], by: str) -> Figure:
    """Medians."""
    mine, theirs = statistics.median(ours), statistics.median(reference)
    return Figure(name, round(mine, 2), unit, round(theirs, 2), by, round(mine / theirs, 2), len(ours))


def keep(figures: Sequence[Figure]) -> None:
    """Write build/bench.json, and print the same as a table."""
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    print(f"\n{'what':58} {'ours':>9} {'unit':5} {'reference':>10} {'by':24} {'ratio':>6} {'runs':>5}")
    for each in figures:
        print(
            f"{each.name:58} {each.ours:9.6g} {each.unit:5} {each.reference:10.6g} {each.reference_name:24} "
            f"{each.ratio:6.2f} {each.runs:5}"
        )
