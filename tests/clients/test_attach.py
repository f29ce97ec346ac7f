"""A container's own process: foreground `docker run`, `docker attach`, its signals and its logs."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker.errors import APIError

import docker as sdk
from tests.docker import Docker
from tests.product import Product
from tests.terminal import Terminal

DETACH = "\x10\x11"
PROMPT = r"> $"
SCRIPT = """
for name in HUP USR1 TERM INT WINCH; do trap "echo got $name" $name; done
trap 'echo bye; exit 5' QUIT; echo ready; while :; do sleep 0.05; done
"""
SHELL = ("sh", "-c", "PS1='> ' exec sh -i")


@pytest.fixture(scope="module")
def client(docker: Docker) -> Iterator[sdk.DockerClient]:
    client = sdk.DockerClient(base_url=docker.host)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def tidy(docker: Docker) -> Iterator[None]:
    yield
    for name in docker.do("ps -aq").split():
        docker.do(f"rm -f {name}")


def await_state(docker: Docker, name: str, state: str) -> None:
    deadline = time.monotonic() + 20
    while docker.do(f"inspect -f {{{{.State.Status}}}} {name}") != state:
        assert time.monotonic() < deadline, f"{name} does not become {state}"
        time.sleep(0.05)


def test_run_in_the_foreground_shows_both_outputs_and_ends_as_the_process(docker: Docker) -> None:
    done = docker.run("run", "--name", "job", "host", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert docker.do("ps -a --format {{.Names}}") == "job"


def test_run_forwards_input_unchanged_to_its_end(docker: Docker) -> None:
    given = os.urandom(1024 * 1024)
    done = subprocess.run(
        [*docker.command, "run", "-i", "host", "cat"],
        env=docker.environment,
        input=given,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_a_shell_on_a_terminal_is_run_left_attached_to_and_ended(docker: Docker) -> None:
    terminal = Terminal([*docker.command, "run", "-it", "--name", "box", "host", *SHELL], docker.environment)
    terminal.read_until(PROMPT)
    terminal.write("echo $((40 + 2)); tty\n")
    terminal.read_until(r"42\n/dev/pts/\d+\n(.|\n)*" + PROMPT)
    terminal.resize(columns=97, rows=31)
    time.sleep(0.5)
    terminal.write("stty size\n")
    terminal.read_until(r"31 97\n")
    terminal.write(DETACH)
    assert terminal.wait() == 0
    assert docker.do("inspect -f {{.State.Running}} box") == "true"
    again = Terminal([*docker.command, "attach", "box"], docker.environment)
    again.write("\n")
    again.read_until(PROMPT)
    again.write("exit 9\n")
    assert again.wait() == 9
    await_state(docker, "box", "exited")


def test_two_who_are_attached_see_the_same(docker: Docker) -> None:
    docker.do("run -itd --name box host cat")
    first, second = (Terminal([*docker.command, "attach", "box"], docker.environment) for _ in range(2))
    # What was printed before somebody was attached is not shown to him: who sees his own word is. Each has his own: who
    # saw that of the other would go on before his has been read.
    for each, word in ((first, "first"), (second, "second")):
        each.write(f"{word}\n")
        each.read_until(f"{word}\n{word}\n")
    first.write("hello\n")
    for each in (first, second):
        each.read_until("hello\nhello\n")
    docker.do("kill box")
    assert (first.wait(), second.wait()) == (137, 137)


def test_what_cannot_be_attached_to_is_said(docker: Docker) -> None:
    assert docker.refuse("attach nosuch").endswith("No such container: nosuch")
    docker.do("create --name idle host sleep 60")
    assert "cannot attach to a stopped container" in docker.refuse("attach idle").lower()


def test_a_command_that_is_not_there_ends_run(docker: Docker) -> None:
    done = docker.run("run", "--name", "bad", "host", "no-such-thing")
    assert (done.returncode, done.stdout) == (127, "")
    assert "no-such-thing" in done.stderr


def test_rm_removes_at_the_end_and_run_still_tells_the_status(docker: Docker, product: Product) -> None:
    done = docker.run("run", "--rm", "--name", "once", "host", "sh", "-c", "echo hi; exit 3")
    assert (done.returncode, done.stdout) == (3, "hi\n")
    assert docker.do("ps -aq") == ""
    docker.do("run -d --rm --name longer host sleep 1000")
    docker.do("stop -t 1 longer")
    deadline = time.monotonic() + 20
    while docker.do("ps -aq"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_sdk_attaches_with_logs_and_streams(client: sdk.DockerClient) -> None:
    container = client.containers.run(
        "host",
        ["sh", "-c", "echo first; echo err >&2; read line; echo got $line"],
        detach=True,
        stdin_open=True,
    )
    deadline = time.monotonic() + 20
    while container.attach(logs=True, stream=False, demux=True) != (b"first\n", b"err\n"):
        assert time.monotonic() < deadline
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    stream._sock.sendall(b"it\n")
    assert read_to_end(stream._sock) == b"\x01\0\0\0\0\0\0\x07got it\n"
    assert container.wait()["StatusCode"] == 0
    with pytest.raises(APIError, match="Invalid detach keys"):
        container.attach_socket(params={"detachKeys": "ctrl-"})


def test_keys_of_ones_own_leave_the_process_running(client: sdk.DockerClient) -> None:
    container = client.containers.run("host", ["cat"], detach=True, stdin_open=True, tty=True)
    wanted = {"stdin": 1, "stdout": 1, "stream": 1, "detachKeys": "a,ctrl-b"}
    stream = container.attach_socket(params=wanted)
    for piece in (b"xa", b"y\n", b"a", b"\x02"):
        stream._sock.sendall(piece)
        time.sleep(0.2)
    assert read_to_end(stream._sock) == b"xay\r\nxay\r\n"
    container.reload()
    assert container.status == "running"


def read_to_end(connection: socket.socket) -> bytes:
    connection.settimeout(30)
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def run(docker: Docker, *options: str, script: str = SCRIPT) -> None:
    done = docker.run("run", "-d", "--name", "box", *options, "host", "sh", "-c", script)
    assert done.returncode == 0, done.stderr


def await_log(docker: Docker, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in docker.do("logs box"):
        assert time.monotonic() < deadline, (text, docker.do("logs box"))
        time.sleep(0.05)


def test_every_signal_reaches_the_process_however_it_is_written(docker: Docker) -> None:
    run(docker)
    await_log(docker, "ready")
    for written, name in (
        ("HUP", "HUP"),
        ("SIGUSR1", "USR1"),
        ("15", "TERM"),
        ("sigint", "INT"),
        ("28", "WINCH"),
    ):
        docker.do(f"kill -s {written} box")
        await_log(docker, f"got {name}")
    assert docker.refuse("kill -s LOUD box").endswith("nvalid signal: LOUD")
    assert docker.do("inspect -f {{.State.Running}} box") == "true"
    docker.do("kill -s RTMIN+3 box")
    assert docker.do("wait box") == str(128 + 37)


def test_stop_sends_the_signal_of_the_container(docker: Docker) -> None:
    run(docker, "--stop-signal", "SIGQUIT")
    await_log(docker, "ready")
    assert docker.do("inspect -f {{.Config.StopSignal}} box") == "SIGQUIT"
    docker.do("stop box")
    assert docker.do("wait box") == "5"
    await_log(docker, "bye")
    assert docker.refuse("create --stop-signal LOUD host").endswith("invalid signal: LOUD")


def test_kill_kills(docker: Docker) -> None:
    run(docker)
    await_log(docker, "ready")
    docker.do("kill box")
    assert docker.do("wait box") == "137"
    assert "got" not in docker.do("logs box")
    assert docker.refuse("kill box").endswith("is not running")


def test_logs_have_times_limits_and_both_outputs(docker: Docker) -> None:
    run(docker, script="echo one; echo two >&2; sleep 1.5; echo three; exec sleep 1000")
    await_log(docker, "three")
    done = docker.run("logs", "box")
    assert (done.stdout, done.stderr) == ("one\nthree\n", "two\n")
    first, last = docker.do("logs -t box").splitlines()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one", first)
    middle = last.split()[0][:19] + "Z"
    assert docker.do(f"logs --since {middle} box") == "three"
    early = docker.run("logs", "--until", middle, "box")
    assert (early.stdout, early.stderr) == ("one\n", "two\n")
    assert docker.do("logs -n 1 box") == "three" and docker.do("logs --details box").split() == [
        "one",
        "three",
    ]
    follower = docker.start("logs -f -n 0 box")
    docker.do("kill box")
    assert follower.communicate(timeout=20)[0] == ""


def test_how_something_ended_is_known_when_it_goes_at_once(docker: Docker, client: sdk.DockerClient) -> None:
    for _ in range(5):
        began = time.time()
        docker.do("run -d --rm --name once host sleep 1000")
        once = client.containers.get("once")
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(once.wait, condition="removed", timeout=60)
            docker.do("stop -t 9 once")
            assert waiting.result(60)["StatusCode"] == 143
        told = client.events(decode=True, since=began, until=time.time() + 1, filters={"container": once.id})
        ends = [(each["Action"], each["Actor"]["Attributes"].get("exitCode")) for each in told]
        assert ends[-4:] == [("kill", None), ("die", "143"), ("stop", None), ("destroy", None)]


def test_rm_removes_also_what_ended_while_the_server_was_away(docker: Docker, product: Product) -> None:
    docker.do("run -d --rm --name once host sleep 1000")
    docker.do("run -d --name kept host sleep 1000")
    pids = [docker.do(f"top {name} -o pid").split()[1] for name in ("once", "kept")]
    stopped = [product.find_part(name) for name in ("web server", "server worker")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            os.kill(int(pid), signal.SIGTERM)
        deadline = time.monotonic() + 20
        while any(os.path.exists(f"/proc/{pid}") for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    docker.await_answer()
    deadline = time.monotonic() + 60
    while docker.do("ps -a --format {{.Names}}/{{.State}}") != "kept/exited":
        assert time.monotonic() < deadline, docker.do("ps -a")
        time.sleep(0.1)
    assert docker.do("inspect -f {{.State.ExitCode}} kept") == "143"


def test_who_waits_chooses_for_what(docker: Docker, client: sdk.DockerClient) -> None:
    """Who asks for the next exit of what has ended waits for its next start."""
    docker.do("create --name box host sh -c true")
    box = client.containers.get("box")
    assert box.wait(condition="not-running", timeout=60)["StatusCode"] == 0
    with ThreadPoolExecutor(2) as others:
        ended = others.submit(box.wait, condition="next-exit", timeout=60)
        removed = others.submit(box.wait, condition="removed", timeout=60)
        time.sleep(0.5)
        assert not ended.done() and not removed.done()
        docker.do("start box")
        assert ended.result(60)["StatusCode"] == 0
        assert not removed.done()
        await_state(docker, "box", "exited")
        docker.do("rm box")
        assert removed.result(60)["StatusCode"] == 0
    with pytest.raises(APIError, match="invalid condition"):
        client.containers.run("host", ["true"], name="box", detach=True).wait(condition="soon")


def test_logs_are_followed_until_a_time_and_by_output(docker: Docker) -> None:
    run(docker, script="while :; do echo out; echo err >&2; sleep 0.1; done")
    await_log(docker, "out")
    done = docker.run("logs", "-f", "--until", f"{time.time() + 2:.3f}", "box")
    assert done.returncode == 0 and {*done.stdout.split(), *done.stderr.split()} == {"out", "err"}
    follower = docker.start("logs -f -t -n 1 box")
    assert follower.stdout is not None
    for _ in range(4):
        assert re.match(
            r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (out|err)$", follower.stdout.readline().rstrip()
        )
    follower.terminate()
    follower.wait(20)
