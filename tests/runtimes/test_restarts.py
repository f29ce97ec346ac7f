"""Processes that are begun again when they have ended by themselves."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.runtimes.host import Machine, find_marked, wait_until
from workers.contract.reports import Exit, Restart
from workers.contract.state import RestartPolicy
from workers.planning.objects import Process
from workers.runtimes.client import SupervisorError
from workers.runtimes.protocol import Run
from workers.runtimes.restarts import FIRST, LONG_ENOUGH, LONGEST, lengthen, shall_restart

ALWAYS = RestartPolicy(name="always")


def start(machine: Machine, script: str, policy: RestartPolicy = ALWAYS) -> int:
    return machine.client.start(process(machine, script, policy))


def process(machine: Machine, script: str, policy: RestartPolicy) -> Process:
    return machine.process("sh", "-c", script, restart=policy)


def shown(machine: Machine) -> Run:
    return machine.client.status()["web"]


def until_exit(events: Iterator[Exit | Restart]) -> tuple[list[Restart], Exit]:
    restarts: list[Restart] = []
    for event in events:
        if isinstance(event, Exit):
            return restarts, event
        restarts.append(event)
    raise AssertionError("the supervisor hung up")


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "expected"),
    [
        (RestartPolicy(), 1, 0, False),
        (RestartPolicy(name="on-failure"), 0, 0, False),
        (RestartPolicy(name="on-failure"), 1, 1000, True),
        (RestartPolicy(name="on-failure", limit=2), 1, 1, True),
        (RestartPolicy(name="on-failure", limit=2), 1, 2, False),
        (ALWAYS, 0, 1000, True),
        (RestartPolicy(name="unless-stopped"), 0, 0, True),
    ],
)
def test_a_policy_says_who_is_begun_again(
    policy: RestartPolicy, code: int, restarts: int, expected: bool
) -> None:
    assert shall_restart(policy, code, restarts) is expected


def test_the_delay_doubles_up_to_a_minute_and_begins_anew_after_ten_seconds_up() -> None:
    delays = [FIRST]
    for _ in range(11):
        delays.append(lengthen(delays[-1], 0.5))
    assert delays == [pytest.approx(min(0.1 * 2**n, 60.0)) for n in range(12)]
    assert delays[-1] == LONGEST
    assert lengthen(LONGEST, LONG_ENOUGH) == lengthen(0.0, 0.0) == FIRST


def test_what_fails_is_begun_again_as_often_as_was_said_and_then_has_ended(machine: Machine) -> None:
    events = machine.client.watch()
    start(machine, "echo tried; exit 3", RestartPolicy(name="on-failure", limit=2))
    restarts, ended = until_exit(events)
    assert [(one.count, one.running, one.code) for one in restarts] == [
        (1, False, 3),
        (1, True, 3),
        (2, False, 3),
        (2, True, 3),
    ]
    assert (ended.incarnation, ended.code) == (1, 3)
    run = shown(machine)
    assert (run.state, run.code, run.restarts) == ("exited", 3, 2)
    assert machine.client.logs("web") == "tried\n" * 3


def test_success_is_no_failure(machine: Machine) -> None:
    events = machine.client.watch()
    start(machine, "exit 0", RestartPolicy(name="on-failure"))
    assert until_exit(events) == ([], Exit(container="web", incarnation=1, code=0))


def test_a_killed_process_runs_again_and_the_same_start_changes_nothing(machine: Machine) -> None:
    first = start(machine, "exec sleep 60")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: shown(machine).restarts == 1 and shown(machine).state == "running", "it runs again")
    second = shown(machine).pid
    assert second != first
    assert machine.client.start(process(machine, "exec sleep 60", ALWAYS)) == second
    machine.client.stop("web", 5)
    machine.wait_for_end()
    assert shown(machine).restarts == 1


def test_stop_ends_what_waits_to_be_begun_again(machine: Machine) -> None:
    events = machine.client.watch()
    start(machine, "exit 4")
    # The sixth time it is waited for more than three seconds.
    wait_until(lambda: shown(machine).restarts == 6 and shown(machine).state == "restarting", "it waits")
    with pytest.raises(SupervisorError, match="no running process"):
        machine.client.signal("web", "HUP")
    with pytest.raises(SupervisorError, match="still running"):
        machine.client.forget("web")
    machine.client.stop("web", 5)
    _, ended = until_exit(events)
    assert ended.code == 4 and shown(machine).state == "exited"
    machine.client.forget("web")
    assert machine.client.status() == {}


@pytest.mark.parametrize("name", ["TERM", "KILL"])
def test_who_is_asked_to_end_is_not_begun_again(machine: Machine, name: str) -> None:
    events = machine.client.watch()
    start(machine, "exec sleep 60")
    machine.client.signal("web", name)
    restarts, ended = until_exit(events)
    assert (restarts, ended.code) == ([], 128 + signal.Signals[f"SIG{name}"])


def test_the_next_supervisor_goes_on(machine: Machine) -> None:
    """Whether the process ran, ended while nobody watched, or was about to be begun again."""
    first = start(machine, "exec sleep 60")
    machine.crash()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not find_marked(machine.mark), "it has ended")
    machine.boot()
    wait_until(lambda: shown(machine).state == "running", "it runs again")
    assert shown(machine).restarts == 1
    machine.crash()
    machine.boot()
    os.kill(shown(machine).pid, signal.SIGKILL)
    wait_until(lambda: shown(machine).restarts == 2 and shown(machine).state == "running", "it runs again")
    machine.client.stop("web", 0)
    machine.wait_for_end()


def test_a_supervisor_that_crashed_meanwhile_begins_it_again_and_tells_of_it(machine: Machine) -> None:
    start(machine, "exit 4")
    wait_until(lambda: shown(machine).restarts >= 4, "it fails and fails")
    machine.crash()
    machine.boot()
    told = next(machine.client.watch())
    assert isinstance(told, Restart) and told.count >= 4 and told.code in (0, 4)
    wait_until(lambda: shown(machine).restarts > told.count, "it is begun again")
    machine.client.stop("web", 0)
    machine.wait_for_end()


def test_what_cannot_be_begun_again_has_ended(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = tmp_path_factory.mktemp("programs") / "once"
    program.write_text("#!/bin/sh\nrm $0\nexit 9\n")
    program.chmod(0o755)
    events = machine.client.watch()
    machine.client.start(machine.process(str(program), restart=ALWAYS))
    restarts, ended = until_exit(events)
    assert [one.running for one in restarts] == [False]
    assert ended.code == 127 and str(program) in ended.message
