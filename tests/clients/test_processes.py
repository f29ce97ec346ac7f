"""What runs in containers and what it uses: `docker top` and `docker stats`, `netadmin top`."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import docker as sdk
from netadmin.busybox import pack
from tests.docker import Docker
from tests.product import Product

NEVER = "0001-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def images(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    program = shutil.which("busybox")
    assert program
    path = tmp_path_factory.mktemp("images") / "busybox.tar"
    path.write_bytes(pack(Path(program)))
    docker.do(f"import {path} busybox")
    yield
    docker.do("rmi busybox")


@pytest.fixture(autouse=True)
def tidy(docker: Docker) -> Iterator[None]:
    yield
    if made := docker.do("ps -aq").split():
        docker.do("rm -f " + " ".join(made))


@pytest.fixture
def client(docker: Docker) -> Iterator[sdk.DockerClient]:
    client = sdk.DockerClient(base_url=docker.host)
    yield client
    client.close()


def list_commands(docker: Docker, name: str) -> list[str]:
    titles, *rows = docker.do(f"top {name} -o pid,args").splitlines()
    assert titles.split() == ["PID", "COMMAND"]
    return sorted(row.split(None, 1)[1] for row in rows)


def await_commands(docker: Docker, name: str, *commands: str) -> None:
    deadline = time.monotonic() + 20
    while list_commands(docker, name) != sorted(commands):
        assert time.monotonic() < deadline, list_commands(docker, name)
        time.sleep(0.1)


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("image", ["host", "busybox"])
@pytest.mark.parametrize("network", ["bridge", "host"])
def test_top_shows_what_runs_in_a_container_and_nothing_else(
    docker: Docker, product: Product, image: str, network: str
) -> None:
    docker.do(f"run -d --name other --network {network} {image} sleep 3000")
    docker.do(f"run -d --name box --network {network} {image} sleep 1000")
    docker.do("exec -d box sleep 2000")
    await_commands(docker, "box", "sleep 1000", "sleep 2000")
    titles, first, _ = docker.do("top box").splitlines()
    assert titles.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert first.split()[0] == "root" and first.endswith("sleep 1000")
    titles, first, _ = docker.do("top box aux").splitlines()
    assert titles.split() == [
        "USER",
        "PID",
        "%CPU",
        "%MEM",
        "VSZ",
        "RSS",
        "TTY",
        "STAT",
        "START",
        "TIME",
        "COMMAND",
    ]
    # Trees go with all processes only.
    assert len(docker.do("top box faux").splitlines()) == 3
    rows = product.do("top box -o pid,user,args").splitlines()
    assert re.fullmatch(r"PID +USER +COMMAND", rows[0])
    assert sorted(row.split()[-1] for row in rows[1:]) == ["1000", "2000"]


def test_top_of_a_namespace_without_a_process_shows_what_was_begun_in_it(docker: Docker) -> None:
    docker.do("run -d --name bare host")
    assert list_commands(docker, "bare") == []
    docker.do("exec -d bare sleep 2000")
    await_commands(docker, "bare", "sleep 2000")


def test_top_refuses_what_would_show_more_and_what_does_not_run(docker: Docker, product: Product) -> None:
    docker.do("run -d --name box host sleep 1000")
    for options in ("e", "auxe", "-o pid,environ", "-p 1", "--help", "-o"):
        assert "is not taken of ps's options" in docker.refuse(f"top box {options}"), options
    assert "shows no PID" in docker.refuse("top box -o args")
    assert "is not taken of ps's options" in product.run("top", "box", "-p", "1").stderr
    docker.do("kill box")
    assert docker.refuse("top box").endswith("is not running")
    assert docker.refuse("top nosuch").endswith("No such container: nosuch")


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("image", ["host", "busybox"])
def test_stats_tell_what_was_counted(docker: Docker, client: sdk.DockerClient, image: str) -> None:
    docker.do("network create --subnet 10.6.0.0/24 --gateway 10.6.0.1 lab")
    busy = ("sh", "-c", "while :; do :; done")
    done = docker.run("run", "-d", "--name", "box", "--network", "lab", image, *busy)
    assert done.returncode == 0, done.stderr
    box = client.containers.get("box")
    first = box.stats(stream=False)
    assert first["id"] == box.id and first["name"] == "/box"
    assert first["preread"] != NEVER and first["preread"] < first["read"]
    used, before = first["cpu_stats"], first["precpu_stats"]
    assert used["cpu_usage"]["total_usage"] > before["cpu_usage"]["total_usage"]
    assert used["system_cpu_usage"] > before["system_cpu_usage"] and used["online_cpus"] >= 1
    assert 0 < first["memory_stats"]["usage"] < first["memory_stats"]["limit"]
    assert first["pids_stats"]["current"] == 1
    assert set(first["networks"]) == {"eth0"}
    docker.run("exec", "box", "ping", "-c", "3", "-i", "0.2", "-W", "1", "10.6.0.1")
    later = client.api.stats(box.id, stream=False, one_shot=True)
    assert later["preread"] == NEVER
    for counter in ("rx_packets", "tx_packets"):
        assert later["networks"]["eth0"][counter] >= first["networks"]["eth0"][counter] + 3
    shown = json.loads(docker.run("stats", "--no-stream", "--format", "{{json .}}", "box").stdout)
    assert (shown["Name"], shown["PIDs"]) == ("box", "1")
    assert float(shown["CPUPerc"].removesuffix("%")) > 0
    assert "0B" not in (shown["NetIO"].split(" / ") + shown["MemUsage"].split(" / "))
    docker.do("rm -f box")
    docker.do("network rm lab")


def test_stats_go_on_until_the_container_is_removed(docker: Docker, client: sdk.DockerClient) -> None:
    docker.do("run -d --name box host sleep 1000")
    box = client.containers.get("box")
    told = box.stats(stream=True, decode=True)
    first, second = next(told), next(told)
    assert first["preread"] == NEVER and second["preread"] == first["read"]
    docker.do("kill box")
    while (latest := next(told))["read"] != NEVER:
        pass
    assert (latest["pids_stats"], latest["memory_stats"], latest["name"]) == ({}, {}, "/box")
    assert "networks" not in latest
    docker.do("rm box")
    assert all(each["id"] == box.id for each in told)


def test_stats_of_the_host_network_tell_of_no_interfaces(docker: Docker, client: sdk.DockerClient) -> None:
    docker.do("run -d --name box --network host host sleep 1000")
    use = client.api.stats("box", stream=False, one_shot=True)
    assert use["pids_stats"] == {"current": 1} and "networks" not in use
    assert docker.do("stats --no-stream --format {{.Name}}") == "box"
