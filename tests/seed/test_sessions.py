"""What the document does not show: commands inside, their terminals and logs, and access from elsewhere."""

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.product import NETADMIN, Product

PATIENCE = 20.0


@pytest.fixture(scope="module", autouse=True)
def web(product: Product) -> None:
    product.do("run -d --name web")


def wait_for(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def run_bytes(product: Product, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [NETADMIN, *words]
    return subprocess.run(command, env=product.environment, input=given, capture_output=True, timeout=60)


def test_exec_separates_the_outputs_and_gives_the_exit_status(product: Product) -> None:
    done = product.run("exec", "web", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert product.run("exec", "web", "sh", "-c", "kill -9 $$").returncode == 137


def test_exec_has_the_variables_it_was_given(product: Product) -> None:
    done = product.run("exec", "-e", "GREETING=hello there", "web", "sh", "-c", 'echo "$GREETING"')
    assert (done.returncode, done.stdout) == (0, "hello there\n")


def test_exec_forwards_binary_input_unchanged(product: Product) -> None:
    given = os.urandom(3 * 1024 * 1024)
    done = run_bytes(product, "exec", "-i", "web", "cat", given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_exec_in_a_container_that_does_not_run_is_one_line(product: Product) -> None:
    product.do("create --name idle")
    for name in ("idle", "nosuch"):
        done = product.run("exec", name, "true")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert done.stderr.startswith("Error: ") and name in done.stderr
    product.do("rm idle")


def test_a_terminal_inside_knows_the_window_and_takes_ctrl_c(product: Product) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(NETADMIN, [NETADMIN, "exec", "-it", "web", "sh"], product.environment)

    def expect(wanted: bytes) -> None:
        seen = b""
        while wanted not in seen:
            ready, _, _ = select.select([terminal], [], [], PATIENCE)
            assert ready, seen
            seen += os.read(terminal, 4096)

    expect(b"# ")
    os.write(terminal, b"tty; sleep 60\n")
    expect(b"/dev/pts/")
    time.sleep(0.5)
    os.write(terminal, b"\x03")
    expect(b"# ")
    os.write(terminal, b"exit 9\n")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize(("command", "code"), [("no-such-thing", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run_ends_as_with_docker(product: Product, command: str, code: int) -> None:
    done = product.run("run", "--name", "never", command)
    assert (done.returncode, done.stdout) == (code, "") and f"--image {command}" in done.stderr
    product.do("rm never")


def test_run_in_the_foreground_follows_and_exits_with_the_status(product: Product) -> None:
    done = product.run("run", "--name", "job", "sh", "-c", "echo one; sleep 0.3; echo two; exit 5")
    assert (done.returncode, done.stdout) == (5, "one\ntwo\n")
    assert product.do("logs --tail 1 job") == "two"
    wait_for(lambda: "Exited (5)" in product.do("ps -a"))
    assert product.do("rm job") == "job"


def test_a_process_is_restarted_renamed_and_removed(product: Product) -> None:
    product.do("run -d --name first sleep 1000")
    assert product.do("restart -t 1 first") == "first"
    product.do("rename first renamed")
    assert "renamed" in product.do("ps -f name=renamed")
    product.refuse("rm renamed")
    assert product.do("rm -f renamed") == "renamed"
    assert "renamed" not in product.do("ps -a")


def test_prune_removes_unused_networks_only(product: Product) -> None:
    product.do("network create unused")
    product.do("network create used")
    product.do("network connect used web")
    assert product.do("network prune -f") == "Deleted Networks:\nunused"
    product.do("network disconnect used web")
    assert product.do("network rm used") == "used"


def test_rm_goes_on_after_a_failure(product: Product) -> None:
    product.do("network create a")
    product.do("network create b")
    done = product.run("network", "rm", "a", "nosuch", "b")
    assert (done.returncode, done.stdout) == (1, "a\nb\n")
    assert len(done.stderr.splitlines()) == 1 and "nosuch" in done.stderr


def test_events_tell_of_a_change(product: Product) -> None:
    command = [NETADMIN, "events", "--json"]
    with subprocess.Popen(command, env=product.environment, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        time.sleep(1.5)
        identity = product.do("network create watched")
        lines = (json.loads(line) for line in following.stdout)
        assert any(event["kind"] == "network" and event["id"] == identity for event in lines)
        following.terminate()
    product.do("network rm watched")


def test_a_token_opens_the_same_server_from_elsewhere(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = product.do("token create ci")
    remote = {"NETADMIN_URL": f"http://{product.listen}", "NETADMIN_TOKEN": token}

    def run(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {**product.environment, **remote, **changes}
        return subprocess.run([NETADMIN, *words], env=environment, capture_output=True, text=True)

    assert "simple" not in run("network", "ls").stdout and run("network", "ls").returncode == 0
    assert run("exec", "web", "echo", "inside").stdout == "inside\n"
    for words in (["network", "ls"], ["exec", "web", "true"]):
        refused = run(*words, NETADMIN_TOKEN="nad_wrong.token")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1), refused.stderr
    (listed,) = json.loads(product.do("token ls --json"))
    product.do(f"token rm {listed['id']}")
    assert run("network", "ls").returncode == 1


def test_hosts_and_history_are_shown(product: Product) -> None:
    assert product.do("host ls").splitlines()[1].startswith("node1")
    (shown,) = json.loads(product.do("host inspect node1"))
    assert shown["name"] == "node1"
    newest = json.loads(product.do("history --limit 3 --json"))
    assert len(newest) == 3 and {"actor", "action", "outcome"} <= newest[0].keys()
    assert "container.exec" in product.do("history --limit 200")
