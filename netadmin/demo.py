"""`python -m netadmin.demo`: a tour through the product, with commands that anybody could type.

What is there already is left as it is, so the tour can be taken again; the containers stay up for playing on.
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netadmin import busybox

Run = Callable[[list[str]], str]
ARCHIVE = "{}"
IMAGE = ("busybox", "crun")
NETADMIN = str(Path(sys.executable).parent / "netadmin")


class Refused(Exception):
    """A command failed; what it said on stderr."""


@dataclass(frozen=True)
class Step:
    """A command line of netadmin; `{NAME}` in it is the address of container NAME on the default network, `{}` the
    archive of a root file system with this machine's busybox."""

    title: str
    line: str
    unless: str = ""
    """`network`, `container`, `image` or `running NAME`, or `on NETWORK NAME`: done already, so left out."""
    fails: bool = False
    """The command is there to show what does not work."""
    restores: bool = False
    """Undoes what an earlier tour left; not worth a word when there is nothing to undo."""
    needs: tuple[str, ...] = ()
    """Programs without which it is left out."""


STEPS = (
    Step(
        "A network gets a free block of addresses by itself",
        "network create simple-network",
        "network simple-network",
    ),
    Step("What it is", "network inspect simple-network"),
    Step("It goes as easily", "network rm simple-network"),
    Step("Two containers on the default network", "run -d --name container1", "container container1"),
    Step("The second one", "run -d --name container2", "container container2"),
    Step(
        "A network of our own, with a block we chose",
        "network create -d bridge --subnet 172.25.0.0/16 isolated_nw",
        "network isolated_nw",
    ),
    Step(
        "container2 joins it while it runs",
        "network connect isolated_nw container2",
        "on isolated_nw container2",
    ),
    Step(
        "container3 starts there, with an address of its choice",
        "run -d --net isolated_nw --ip 172.25.3.3 --name container3",
        "container container3",
    ),
    Step("container2 has an interface on each network", "exec container2 ip -brief -4 address"),
    Step("On our network names are known", "exec container2 ping -c 2 -w 4 container3"),
    Step("On the default network they are not", "exec container2 ping -c 1 -w 4 container1", fails=True),
    Step("but addresses work there", "exec container2 ping -c 1 -w 4 {container1}"),
    Step("Networks are kept apart", "exec container3 ping -c 1 -w 2 {container1}", fails=True),
    Step(
        "A private name for a container that does not exist yet",
        "run -d --net isolated_nw --name container4 --link container5:c5",
        "container container4",
    ),
    Step(
        "The two know each other by private names",
        "run -d --net isolated_nw --name container5 --link container4:c4",
        "container container5",
    ),
    Step(
        "container5 returns to the network",
        "network connect --link container4:c4 isolated_nw container5",
        "on isolated_nw container5",
        restores=True,
    ),
    Step("container4 calls container5 c5", "exec container4 ping -c 1 -w 4 c5"),
    Step("and container5 calls container4 c4", "exec container5 ping -c 1 -w 4 c4"),
    Step(
        "Private names belong to one network",
        "network create --subnet 172.26.0.0/24 local_alias",
        "network local_alias",
    ),
    Step(
        "container4 names container5 foo here",
        "network connect --link container5:foo local_alias container4",
        "on local_alias container4",
    ),
    Step(
        "and container5 names container4 bar",
        "network connect --link container4:bar local_alias container5",
        "on local_alias container5",
    ),
    Step("foo is an address of the other network", "exec container4 ping -c 1 -w 4 foo"),
    Step(
        "An alias is a name for everybody on the network",
        "run -d --net isolated_nw --name container6 --net-alias app",
        "container container6",
    ),
    Step("container6 is started again", "start container6", "running container6", restores=True),
    Step(
        "The same alias for a second container",
        "run -d --net isolated_nw --name container7 --net-alias app",
        "container container7",
    ),
    Step("app is the first of them", "exec container4 ping -c 1 -w 4 app"),
    Step("The first one stops", "stop container6"),
    Step("and the second answers at once", "exec container4 ping -c 1 -w 4 app"),
    Step("container5 leaves a network", "network disconnect isolated_nw container5"),
    Step("so its private name there is gone", "exec container4 ping -c 1 -w 4 c5", fails=True),
    Step("while the one on the other network works on", "exec container4 ping -c 1 -w 4 foo"),
    Step(
        "A root file system of its own: this machine's busybox as an image",
        """image import -c 'CMD ["httpd", "-f"]' {} busybox""",
        "image busybox",
        needs=IMAGE,
    ),
    Step(
        "container8 runs it, in a process table of its own",
        "run -d --image busybox --stop-timeout 1 --net isolated_nw --name container8",
        "container container8",
        needs=IMAGE,
    ),
    Step("It sees itself alone", "exec container8 ps", needs=IMAGE),
    Step("and its neighbours by name", "exec container8 ping -c 2 -w 4 container3", needs=IMAGE),
    Step("All networks", "network ls"),
    Step("All containers", "ps -a"),
)


def play(run: Run) -> None:
    """Take the tour; `run` executes a command line of netadmin and returns its output, or raises Refused."""
    for step in STEPS:
        if missing := [program for program in step.needs if shutil.which(program) is None]:
            _tell(step.title, step.line, f"(left out: this machine has no {' and no '.join(missing)})")
            continue
        if step.unless and _holds(step.unless, run):
            if not step.restores:
                _tell(step.title, step.line, "(there already)")
            continue
        words = [_fill_in(word, run) for word in shlex.split(step.line)]
        try:
            output = _run_with_archive(words, run) if ARCHIVE in words else run(words)
        except Refused as refused:
            if not step.fails:
                raise
            output = f"{refused}\n(as it should be)"
        _tell(step.title, shlex.join(words), output)


def _run_with_archive(words: list[str], run: Run) -> str:
    program = busybox.find()
    assert program is not None
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(busybox.pack(program))
        file.flush()
        return run([file.name if word == ARCHIVE else word for word in words])


def _tell(title: str, line: str, output: str) -> None:
    print("\n".join(filter(None, (f"\n# {title}", f"$ netadmin {line}", output.rstrip()))), flush=True)


def _holds(condition: str, run: Run) -> bool:
    kind, *names = condition.split()
    try:
        if kind == "network":
            return bool(_inspect(run, "network", names[0]))
        if kind == "image":
            return bool(json.loads(run(["image", "inspect", names[0]])))
        container = _inspect(run, "container", names[-1])
    except Refused:
        return False
    if kind == "running":
        return bool(container["State"]["Running"])
    return kind == "container" or names[0] in container["NetworkSettings"]["Networks"]


def _fill_in(word: str, run: Run) -> str:
    if not word.startswith("{") or word == ARCHIVE:
        return word
    networks = _inspect(run, "container", word.strip("{}"))["NetworkSettings"]["Networks"]
    return str(networks["bridge"]["IPAddress"])


def _inspect(run: Run, kind: str, name: str) -> dict[str, Any]:
    (found,) = json.loads(run(["inspect", "--type", kind, name]))
    assert isinstance(found, dict)
    return found


def run_netadmin(words: list[str]) -> str:
    """The command line itself, as a person runs it."""
    done = subprocess.run([NETADMIN, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused((done.stdout + done.stderr).strip())
    return done.stdout


def main() -> int:
    try:
        play(run_netadmin)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
