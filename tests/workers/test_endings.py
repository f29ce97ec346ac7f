"""How the ends of processes are told to the server."""

import os
import signal
import time

from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, network
from tests.workers.host import Host, answers, await_true, namespaces, run
from workers.contract.state import RestartPolicy

NET = network("front", "10.1.0.0/24")
TWO = container("two")
TWO_ON = endpoint(TWO, NET, "10.1.0.3")


def test_the_end_of_a_process_is_reported_and_its_sandbox_is_gone(host: Host) -> None:
    host.settle(NET, TWO, TWO_ON)
    short = container("short", "sh", "-c", "sleep 1; exit 3")
    host.settle(short, endpoint(short, NET, "10.1.0.9"))
    assert answers("two", "short")
    [exit_] = await_true(host.exits)
    assert (exit_.container, exit_.incarnation, exit_.code) == (short.id, 1, 3)
    assert namespaces() == ["two"]
    assert not answers("two", "short")


def test_an_ended_process_stays_ended_over_restarts_and_is_told_until_its_row_says_so(host: Host) -> None:
    short = container("short", "true")
    host.settle(short)
    await_true(host.exits)
    host.look()
    assert len(host.exits()) == 1
    host.kill_agent()
    host.start_agent()
    await_true(lambda: [o for o in host.outcomes() if o.id == short.id][1:])
    # The row still says that it is to run: whoever sent it may never have heard of the end.
    await_true(lambda: host.exits()[1:])
    assert {(exit_.container, exit_.incarnation) for exit_ in host.exits()} == {(short.id, 1)}
    assert namespaces() == []


def test_how_a_stopped_process_ended_is_told_again_to_who_sends_its_row_again(host: Host) -> None:
    stopped = container("stopped", "sleep", "1000", stop_timeout=5.0)
    host.settle(stopped)
    asked = host.change(replace(stopped, running=False))
    host.send(asked)
    [told] = await_true(host.exits)
    host.send(host.delta(asked.rows, base=asked.revision))
    assert await_true(lambda: host.exits()[1:]) == [told]
    # Only the worker's memory is left to one that was started anew: that it has ended.
    host.kill_agent()
    host.start_agent()
    host.send(host.delta(asked.rows, base=asked.revision))
    last = await_true(lambda: host.exits()[2:])[-1]
    assert (last.container, last.incarnation) == (stopped.id, 1)


def test_how_what_was_begun_again_is_becomes_known_with_each_look(host: Host) -> None:
    """Whatever became of the report that told of it at once."""
    kept = container("kept", "sleep", "1000", restart=RestartPolicy(name="always"))
    host.settle(kept)
    [process] = run("ip", "netns", "pids", "kept").split()
    os.kill(int(process), signal.SIGKILL)
    await_true(lambda: [told for report in host.reports for told in report.restarts if told.running])
    for _ in range(2):
        host.look()
        [told] = next(report.look for report in reversed(host.reports) if report.look).restarts
        assert (told.container, told.incarnation, told.count, told.running) == (kept.id, 1, 1, True)
        assert abs(told.at - time.time()) < 60


def test_a_command_that_is_not_found_is_an_exit_and_told_once(host: Host) -> None:
    lost = container("lost", "/no/such/command")
    delta = host.change(lost)
    host.send(delta)
    outcome = host.outcome_of(delta.rows[0])
    assert outcome.state == "failed"
    assert outcome.message == "The command '/no/such/command' was not found: no such file or directory."
    [exit_] = await_true(host.exits)
    assert (exit_.code, exit_.incarnation, exit_.message) == (127, 1, outcome.message)
    host.look()
    assert [o.id for o in host.outcomes()].count(lost.id) == 1
    assert len(host.exits()) == 1
    assert namespaces() == []
