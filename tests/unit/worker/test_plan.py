"""From any state to any other: the plan can be carried out in its order, and arrives."""

from hypothesis import given, settings

from tests.unit.worker.specs import container
from tests.unit.worker.standin import StandIn
from tests.unit.worker.states import render_all, states
from workers.contract.state import HostState
from workers.planning.diff import Operation, diff
from workers.planning.objects import Objects, Process, Sandbox


def end_processes(wanted: Objects, found: Objects) -> Objects:
    """Processes are asked to end before anything else is planned, and the plan waits for that."""
    return {
        key: item
        for key, item in found.items()
        if not isinstance(item, Process) or getattr(wanted.get(key), "incarnation", None) == item.incarnation
    }


@settings(max_examples=300)
@given(states(fleet=True), states(fleet=True))
def test_the_plan_between_any_two_states_arrives_and_a_second_is_empty(
    before: HostState, after: HostState
) -> None:
    wanted = render_all(after)
    kernel = StandIn(end_processes(wanted, render_all(before)))
    for operation in diff(wanted, kernel.objects):
        kernel.apply(operation)
    assert diff(wanted, kernel.objects) == []
    assert kernel.objects.keys() == wanted.keys()


@settings(max_examples=100)
@given(states(fleet=True))
def test_nothing_is_left_of_any_state(state: HostState) -> None:
    kernel = StandIn(end_processes({}, render_all(state)))
    for operation in diff({}, kernel.objects):
        kernel.apply(operation)
    assert kernel.objects == {}


def test_names_that_go_round_in_a_circle_take_one_detour() -> None:
    ids = [container(name).id for name in "abc"]
    found = [Sandbox(container=id, name=name, incarnation=1) for id, name in zip(ids, "abc", strict=True)]
    wanted = [Sandbox(container=id, name=name, incarnation=1) for id, name in zip(ids, "bca", strict=True)]
    kernel = StandIn({item.key: item for item in found})
    operations = diff({item.key: item for item in wanted}, kernel.objects)
    for operation in operations:
        kernel.apply(operation)
    assert list(kernel.objects.values()) == wanted
    assert len(operations) == 4


def test_only_chosen_keys_are_planned_for() -> None:
    one = Sandbox(container="1", name="one", incarnation=1)
    two = Sandbox(container="2", name="two", incarnation=1)
    assert diff({one.key: one, two.key: two}, {}, [two.key]) == [Operation(verb="create", after=two)]
