"""What would be done: for a change, and to mend a host that is not as it should be."""

import msgspec
import pytest

from tests.unit.worker import specs
from workers.planning.objects import Objects, Port, Process
from workers.planning.rehearsal import plan_change, plan_repair, render_all
from workers.planning.render import Surroundings
from workers.planning.words import collect_names, word

HERE = Surroundings(host="node1")
LAB = specs.network("lab", "10.1.0.0/24")
WEB = specs.container("web", "sleep", "9")
IN_LAB = specs.endpoint(WEB, LAB, "10.1.0.2")
ROWS = [specs.row(spec) for spec in (LAB, WEB, IN_LAB)]


def found() -> Objects:
    """What an observation finds when all is well: no names, and of a process only its incarnation."""
    objects = {key: item for key, item in render_all(ROWS, HERE).items() if key[0] != "name"}
    (key,) = [key for key in objects if key[0] == "process"]
    process = objects[key]
    assert isinstance(process, Process)
    objects[key] = msgspec.structs.replace(process, command=(), env={}, hostname="", sandbox="")
    return objects


def test_a_host_that_is_as_it_should_be_needs_nothing() -> None:
    assert plan_repair(ROWS, found(), HERE) == []


@pytest.mark.parametrize("kind", ["bridge", "sandbox", "files", "port", "routes", "process"])
def test_what_is_missing_would_be_made(kind: str) -> None:
    objects = found()
    (gone,) = [key for key in objects if key[0] == kind]
    del objects[gone]
    assert [(each.verb, each.key) for each in plan_repair(ROWS, objects, HERE)] == [("create", gone)]


def test_what_was_changed_would_be_put_right_and_what_is_too_much_removed() -> None:
    objects = found()
    (key,) = [key for key in objects if key[0] == "port"]
    port = objects[key]
    assert isinstance(port, Port)
    (changed,) = [key for key in objects if key[0] == "files"]
    objects[changed] = msgspec.structs.replace(objects[changed], hosts="127.0.0.1 nobody")
    stray = msgspec.structs.replace(port, endpoint="f" * 64, device="vethfffffff", interface="eth7")
    objects[stray.key] = stray
    assert [(each.verb, each.key) for each in plan_repair(ROWS, objects, HERE)] == [
        ("remove", stray.key),
        ("change", changed),
    ]


def test_a_change_is_planned_from_what_should_be_whatever_there_is() -> None:
    other = specs.container("other")
    rows = [specs.row(other, 2), specs.row(specs.endpoint(other, LAB, "10.1.0.3"), 2)]
    assert {each.verb for each in plan_change(ROWS, rows, HERE)} == {"create"}
    words = [word(each, collect_names([*ROWS, *rows])) for each in plan_change(ROWS, rows, HERE)]
    assert "create namespace of container other" in words
    assert any(text.endswith("of container other: eth0 with 10.1.0.3/24") for text in words)
    assert plan_change([*ROWS, *rows], rows, HERE) == []
