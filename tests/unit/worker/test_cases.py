"""A folder of tests/cases/planning is a case: what a state means, and what leads to it from another one.

state.json: a HostState. objects.json: all kernel objects that it means of each kind that is named there, by "kind id".
found.json: the HostState that the host is in before; operations.txt: what is done then, in its order.
"""

import json
from pathlib import Path

import msgspec
import pytest

from tests.unit.worker.standin import StandIn
from tests.unit.worker.states import render_all
from tests.unit.worker.test_plan import end_processes
from workers.contract.state import HostState
from workers.planning.diff import diff

CASES = sorted((Path(__file__).parents[2] / "cases" / "planning").iterdir())


def read_state(path: Path) -> HostState:
    return msgspec.json.decode(path.read_bytes(), type=HostState)


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "objects.json").exists()], ids=lambda c: c.name
)
def test_a_state_means_these_objects(case: Path) -> None:
    expected = json.loads((case / "objects.json").read_text())
    kinds = {key.split()[0] for key in expected}
    rendered = render_all(read_state(case / "state.json"))
    assert expected == {
        f"{kind} {id}": json.loads(msgspec.json.encode(item))
        for (kind, id), item in rendered.items()
        if kind in kinds
    }


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "operations.txt").exists()], ids=lambda c: c.name
)
def test_these_operations_lead_there(case: Path) -> None:
    wanted = render_all(read_state(case / "state.json"))
    kernel = StandIn(end_processes(wanted, render_all(read_state(case / "found.json"))))
    operations = diff(wanted, kernel.objects)
    assert [f"{op.verb} {' '.join(op.key)}" for op in operations] == (
        case / "operations.txt"
    ).read_text().splitlines()
    for operation in operations:
        kernel.apply(operation)
    assert diff(wanted, kernel.objects) == []
