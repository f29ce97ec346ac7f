"""Images and what runs in them, by the unmodified docker client."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netadmin.busybox import pack
from tests.docker import Docker


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with the root file system of busybox."""
    program = shutil.which("busybox")
    assert program
    path = tmp_path_factory.mktemp("images") / "busybox.tar"
    path.write_bytes(pack(Path(program)))
    return path


@pytest.fixture(autouse=True)
def tidy(docker: Docker) -> Iterator[None]:
    yield
    if made := docker.do("ps -aq").split():
        docker.run("rm", "-f", *made)
    for id in set(docker.do("images -q --no-trunc --filter label=test").split()):
        docker.run("rmi", "-f", id)


def bring(docker: Docker, root: Path, name: str, *changes: str) -> str:
    """Import it, and its id."""
    lines = [word for line in ("LABEL test=1", *changes) for word in ("--change", line)]
    with open(root, "rb") as archive:
        done = subprocess.run(
            [*docker.command, "import", *lines, "-", name], stdin=archive, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_images_are_brought_listed_named_and_removed(docker: Docker, root: Path) -> None:
    id = bring(docker, root, "busybox", 'CMD ["sh"]', "ENV A=1", "EXPOSE 80")
    assert re.fullmatch("sha256:[0-9a-f]{64}", id)
    docker.do("tag busybox team/tool:1.36")
    listed = docker.do("images --format {{.Repository}}:{{.Tag}}").splitlines()
    assert sorted(listed) == ["busybox:latest", "host:latest", "team/tool:1.36"]
    assert docker.do("images -q team/tool") == id[7:19]
    assert docker.do("images -q --filter reference=busy*") == id[7:19]
    assert docker.do("images -q --filter dangling=true") == ""
    (shown,) = json.loads(docker.do("image inspect busybox"))
    assert (shown["Id"], shown["Config"]["Cmd"], shown["Config"]["Env"]) == (id, ["sh"], ["A=1"])
    assert shown["RepoTags"] == ["busybox:latest", "team/tool:1.36"]
    assert id[7:19] in docker.do("history busybox")
    assert "referenced in multiple repositories" in docker.refuse(f"rmi {id}")
    assert docker.do("rmi busybox") == "Untagged: busybox:latest"
    assert docker.do("rmi team/tool:1.36") == f"Untagged: team/tool:1.36\nDeleted: {id}"
    assert "host" in docker.refuse("rmi host") and "host" in docker.refuse("tag team/tool host")
    assert "No such image: busybox:latest" in docker.refuse("image inspect busybox")


def test_what_is_not_there_is_not_pulled_and_told_how_to_bring(docker: Docker) -> None:
    refused = docker.refuse("run nobody/knows:2")
    assert "No such image: nobody/knows:2" in refused
    assert "docker import" in refused
    assert "fetches nothing" in docker.refuse("import http://192.0.2.1/root.tar")


def test_a_container_of_an_image_is_what_image_and_line_make_of_it(docker: Docker, root: Path) -> None:
    id = bring(
        docker,
        root,
        "tool",
        'ENTRYPOINT ["echo", "tool"]',
        'CMD ["by", "default"]',
        "ENV A=1",
        "WORKDIR /srv",
    )
    lines = {
        "one": ("tool",),
        "two": ("tool", "given"),
        "three": ("--entrypoint", "pwd", "tool"),
        "four": (
            "--entrypoint",
            "",
            "-e",
            "B=2",
            "-w",
            "/new",
            "-u",
            "7:8",
            "tool",
            "sh",
            "-c",
            "id -u; echo $A$B $PWD",
        ),
    }
    printed = {}
    for name, words in lines.items():
        made = docker.run("run", "-d", "--name", name, *words)
        assert made.returncode == 0, made.stderr
        assert docker.do(f"wait {name}") == "0"
        printed[name] = docker.do(f"logs {name}")
    assert printed == {"one": "tool by default", "two": "tool given", "three": "/srv", "four": "7\n12 /new"}
    (shown,) = json.loads(docker.do("inspect four"))
    assert (shown["Image"], shown["Config"]["Image"], shown["Config"]["User"]) == (id, "tool", "7:8")
    assert "no command specified" in docker.refuse("run -d --entrypoint= tool")
    assert docker.do("ps -a --format {{.Image}}").split() == ["tool"] * 4
    assert "must force" in docker.refuse("rmi tool")
    assert docker.do("image prune -af").splitlines()[-1] == "Total reclaimed space: 0B"
    assert docker.do("rmi -f tool") == "Untagged: tool:latest"
    docker.do("rm one two three four")
    assert f"deleted: {id}" in docker.do("image prune -f")


def test_containers_of_images_and_without_meet_on_a_network(docker: Docker, root: Path) -> None:
    bring(docker, root, "busybox", 'CMD ["sleep", "600"]')
    docker.do("network create lab")
    docker.do("run -d --name box --network lab busybox")
    docker.do("run -d --name plain --network lab host")
    assert " 0% packet loss" in docker.do("exec box ping -c 1 -W 20 plain")
    assert " 0% packet loss" in docker.do("exec plain ping -c 1 -W 20 box")
    done = docker.run(
        "exec",
        "-i",
        "-u",
        "7",
        "-w",
        "/tmp",
        "-e",
        "A=1",
        "box",
        "sh",
        "-c",
        "cat; id -u; pwd; echo $A",
        stdin="in\n",
    )
    assert (done.stdout, done.returncode) == ("in\n7\n/tmp\n1\n", 0)
    assert docker.run("exec", "box", "no-such").returncode in (126, 127)
    docker.do("kill box")
    assert docker.do("inspect -f {{.State.ExitCode}} box") == "137"
    docker.do("rm -f box plain")
    docker.do("network rm lab")
