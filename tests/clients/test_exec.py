"""`docker exec` of the unmodified client: a connection that becomes the command's own, whichever way it came in."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker.errors import APIError

import docker as sdk
from tests.docker import Docker
from tests.product import Product
from tests.terminal import Terminal


@pytest.fixture(scope="module", autouse=True)
def web(product: Product) -> Iterator[None]:
    product.do("run -d --name web")
    yield
    product.do("rm -f web")


def test_outputs_are_apart_and_the_exit_status_is_the_commands(docker: Docker) -> None:
    done = docker.run("exec", "web", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_it_has_the_variables_and_the_network_of_the_container(docker: Docker, product: Product) -> None:
    done = docker.run(
        "exec", "-e", "GREETING=hello there", "web", "sh", "-c", 'echo "$GREETING"; hostname -I'
    )
    address = product.inspect_attachments("web")["bridge"]["IPAddress"]
    assert done.stdout.split("\n")[:2] == ["hello there", f"{address} "]


def test_input_is_forwarded_unchanged_to_its_end(docker: Docker) -> None:
    given = os.urandom(2 * 1024 * 1024)
    done = subprocess.run(
        [*docker.command, "exec", "-i", "web", "cat"],
        env=docker.environment,
        input=given,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_a_terminal_knows_its_size_takes_ctrl_c_and_ends(docker: Docker) -> None:
    terminal = Terminal([*docker.command, "exec", "-it", "web", "sh"], docker.environment)
    terminal.read_until(r"# $")
    terminal.resize(columns=97, rows=31)
    time.sleep(0.5)
    terminal.write("stty size\n")
    terminal.read_until(r"31 97\n(.|\n)*# $")
    terminal.write("sleep 60\n")
    time.sleep(0.5)
    terminal.write("\x03")
    terminal.read_until(r"# $")
    terminal.write("exit 9\n")
    assert terminal.wait() == 9


def test_a_detached_command_runs_on(docker: Docker, tmp_path: Path) -> None:
    mark = tmp_path / "done"
    assert docker.run("exec", "-d", "web", "sh", "-c", f"sleep 0.3; touch {mark}").stdout == ""
    deadline = time.monotonic() + 10
    while not mark.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_detached_command_outlives_the_server_and_its_end_is_told(
    docker: Docker, product: Product, tmp_path: Path
) -> None:
    client = sdk.DockerClient(base_url=docker.host)
    mark = tmp_path / "go"
    script = f"until [ -e {mark} ]; do sleep 0.1; done; exit 7"
    made = client.api.exec_create("web", ["sh", "-c", script])["Id"]
    client.api.exec_start(made, detach=True)
    assert client.api.exec_inspect(made)["Running"] is True
    web = product.find_part("web server")
    os.kill(web, signal.SIGKILL)
    await_change(lambda: has_changed(product, web))
    docker.await_answer()
    shown = client.api.exec_inspect(made)
    assert (shown["Running"], shown["ExitCode"]) == (True, None)
    mark.touch()
    await_change(lambda: client.api.exec_inspect(made)["Running"] is False)
    assert client.api.exec_inspect(made)["ExitCode"] == 7
    refused = client.api.exec_create("web", ["/no/such"])["Id"]
    with pytest.raises(APIError, match="no such file"):
        client.api.exec_start(refused, detach=True)
    assert client.api.exec_inspect(refused)["ExitCode"] == 126
    client.close()


def has_changed(product: Product, web: int) -> bool:
    with contextlib.suppress(LookupError):
        return product.find_part("web server") != web
    return False


def await_change(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_is_refused_in_the_engines_words(docker: Docker, product: Product) -> None:
    identity = product.do("create --name idle")
    refused = docker.run("exec", "idle", "true")
    assert (refused.returncode, refused.stderr.strip()) == (
        1,
        f"Error response from daemon: container {identity} is not running",
    )
    assert docker.refuse("exec nosuch true").endswith("No such container: nosuch")
    product.do("rm idle")


def test_over_tcp_it_wants_a_token_and_holds_up_nobody(
    docker: Docker, product: Product, tmp_path: Path
) -> None:
    address = f"tcp://{product.listen}/hosts/node1"
    assert "unauthorized" in Docker(product, address=address).refuse("exec web true")
    headers = {"Authorization": "Bearer " + product.do("token create exec")}
    (tmp_path / "config.json").write_text(json.dumps({"HttpHeaders": headers}))
    remote = Docker(product, address=address, config=tmp_path)
    waiting = [remote.start("exec -i web cat") for _ in range(20)]
    with ThreadPoolExecutor(4) as several:
        done = list(several.map(lambda number: remote.do(f"exec web echo {number}"), range(8)))
    assert done == [str(number) for number in range(8)]
    for number, process in enumerate(waiting):
        output, _ = process.communicate(f"{number}\n", timeout=30)
        assert (process.returncode, output) == (0, f"{number}\n")


def test_the_sdk_runs_commands_too(docker: Docker) -> None:
    client = sdk.DockerClient(base_url=docker.host)
    web = client.containers.get("web")
    assert (web.name, web.status) == ("web", "running")
    for _ in range(20):
        # So short that it has ended before all of its input was sent.
        code, output = web.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True)
        assert (code, output) == (3, (b"out\n", b"err\n"))
    assert [one.name for one in client.containers.list(filters={"network": "bridge"})] == ["web"]
    made = client.api.exec_create(web.id, ["true"])
    assert client.api.exec_inspect(made["Id"])["Running"] is False
    client.close()
