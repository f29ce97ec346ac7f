"""The same plans on the real kernel, and from the command line without a server."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.worker.specs import container, endpoint, network
from tests.unit.worker.states import render_all, states
from tests.workers.host import inside, run
from workers.contract.state import HostState
from workers.kernel.edge import Kernel
from workers.planning.diff import diff
from workers.planning.objects import Element, Objects

NET = network("front", "10.1.0.0/24", "fd00:1::/64")
ONE, TWO = container("one"), container("two")
STATE = HostState(
    networks=(NET,),
    containers=(ONE, TWO),
    endpoints=(
        endpoint(ONE, NET, "10.1.0.2", ipv6="fd00:1::2"),
        endpoint(TWO, NET, "10.1.0.3", ipv6="fd00:1::3"),
    ),
)


def carry_out(kernel: Kernel, wanted: Objects) -> None:
    for operation in diff(wanted, kernel.observe()):
        before, after = operation.before, operation.after
        if isinstance(before, Element) and after is None:
            kernel.apply_elements([], [before])
        elif before is None and after is not None:
            kernel.create(after)
        elif before is not None and after is not None:
            kernel.change(before, after)
        elif before is not None:
            kernel.remove(before)


@settings(max_examples=15)
@given(st.lists(states(commands=False), min_size=2, max_size=3))
def test_the_real_kernel_arrives_at_any_state_from_any_other(
    emptied_once: None, several: list[HostState]
) -> None:
    with closing(Kernel()) as kernel:
        kernel.ensure_table()
        for state in several:
            wanted = {key: item for key, item in render_all(state).items() if key[0] != "name"}
            carry_out(kernel, wanted)
            assert [str(operation) for operation in diff(wanted, kernel.observe())] == []
        kernel.purge()
        assert kernel.observe() == {}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state.json"
    path.write_bytes(msgspec.json.encode(STATE))
    return path


def workers(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers", *words], capture_output=True, text=True, timeout=60, check=False
    )


def lines(*words: str) -> list[str]:
    done = workers(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_state_file_is_shown_planned_applied_and_purged(emptied: None, file: Path) -> None:
    shown, planned = lines("show", str(file)), lines("plan", str(file))
    # What the kernel does not hold (names, processes) is shown, but nothing of a plan.
    assert [line for line in shown if not line.startswith("create name")] == planned
    assert len(shown) - len(planned) == 4
    assert lines("apply", str(file)) == planned
    assert lines("plan", str(file)) == []
    inside("one", "ping", "-c1", "-W1", "10.1.0.3")
    inside("two", "ping", "-6", "-c1", "-W1", "fd00:1::2")
    removed = lines("purge")
    assert "namespace one" in removed
    assert f"device {NET.device}" in removed
    assert json.loads(run("ip", "-j", "netns") or "[]") == []


def test_what_cannot_be_applied_is_said_in_a_sentence(emptied: None, file: Path) -> None:
    run("ip", "netns", "add", "one")
    done = workers("apply", str(file))
    assert done.returncode == 1
    assert "Error: The host already has a namespace named 'one' that is not netadmin's" in done.stderr
    assert "Traceback" not in done.stderr
    inside("two", "ping", "-c1", "-W1", "10.1.0.1")
    run("ip", "netns", "delete", "one")


def test_a_file_that_is_no_state_is_refused(emptied: None, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"networks": [{"kind": "bridge"}]}')
    done = workers("plan", str(tmp_path / "odd.json"))
    assert done.returncode == 1
    assert "is not a state file" in done.stderr
