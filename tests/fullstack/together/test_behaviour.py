"""tests/cases/behaviour/*.json: a sentence about behaviour each, shown by commands and by what stock tools then see.

A case is {"title", "why", "steps"}; each step is one of the functions of `STEPS`, by its name.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.product import Product

FOLDER = Path(__file__).parents[2] / "cases" / "behaviour"
CASES = [pytest.param(json.loads(path.read_text()), id=path.stem) for path in sorted(FOLDER.glob("*.json"))]
DIG = ("dig", "+tries=1", "+time=5", "+noall", "+comments", "+answer", "@127.0.0.11")
HOST = "host"
OUTSIDE = "outside"
OUTSIDE_LINES = (
    "ip netns add outside",
    "ip link add up0 type veth peer name up1 netns outside",
    "ip address add 198.51.100.2/24 dev up0",
    "ip link set up0 up",
    "ip -n outside address add 198.51.100.1/24 dev up1",
    "ip -n outside link set up1 up",
    "ip -n outside route add 10.0.0.0/9 via 198.51.100.2",
)


@pytest.fixture(scope="module", autouse=True)
def outside(private_host: None) -> Iterator[None]:
    """A neighbour at 198.51.100.1, which has a route to 10.0.0.0/9 through the host and none to the rest of 10/8."""
    for line in OUTSIDE_LINES:
        subprocess.run(line.split(), check=True)
    yield
    # The next module's host has no such neighbour; the pair goes at once, the namespace with its last user.
    for line in ("ip link delete up0", "ip netns delete outside"):
        subprocess.run(line.split(), check=True)


@pytest.fixture(autouse=True)
def nothing_left(product: Product) -> Iterator[None]:
    yield
    product.empty()


@pytest.mark.parametrize("case", CASES)
def test_it_behaves_as_the_case_says(case: dict[str, Any], product: Product) -> None:
    assert set(case) == {"title", "why", "steps"}
    for number, step in enumerate(case["steps"], 1):
        try:
            STEPS[next(iter(step))](product, step)
        except AssertionError as error:
            told = f"{case['title']}: step {number}, {json.dumps(step)}\n{error}"
            raise AssertionError(told) from error


def run(product: Product, step: dict[str, Any]) -> None:
    """The command succeeds; `prints` is its output, or {"regex"} a pattern somewhere in it."""
    done = product.run(*shlex.split(step["run"]))
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    wanted = step.get("prints")
    if isinstance(wanted, dict):
        assert re.search(wanted["regex"], done.stdout, re.MULTILINE), done.stdout
    elif wanted is not None:
        assert done.stdout.removesuffix("\n") == wanted


def refuse(product: Product, step: dict[str, Any]) -> None:
    """The command fails with one line, of which `says` is a part, and `exits` with 1 if nothing else is said."""
    done = product.run(*shlex.split(step["refuse"]))
    ended = (done.returncode, len(done.stderr.splitlines()))
    assert ended == (step.get("exits", 1), 1), (done.stdout, done.stderr)
    assert step["says"] in done.stderr


def address(product: Product, step: dict[str, Any]) -> None:
    """What `network inspect` has, stopped containers included; null when the container is not on the network."""
    said = step["address"]
    (shown,) = json.loads(product.do(f"network inspect --all {said['network']}"))
    found = {one["Name"]: one[said.get("field", "IPv4Address")] for one in shown["Containers"].values()}
    assert found.get(said["container"], "").partition("/")[0] == (said["is"] or ""), shown


def interfaces(product: Product, step: dict[str, Any]) -> None:
    """Every interface but lo with its addresses of global scope, IPv4 first."""
    said = step["interfaces"]
    shown = json.loads(look(said["container"], "ip", "-json", "address").stdout)
    found = {
        link["ifname"]: " ".join(
            f"{item['local']}/{item['prefixlen']}"
            for item in sorted(link["addr_info"], key=lambda item: str(item["family"]))
            if item["scope"] == "global"
        )
        for link in shown
        if link["ifname"] != "lo"
    }
    assert found == said["are"], shown


def resolves(product: Product, step: dict[str, Any]) -> None:
    """The answer is good, and its addresses are these, in this order; none of them is an empty answer."""
    said = step["resolves"]
    status, found = ask(said)
    assert (status, found) == ("NOERROR", said["to"])


def unknown(product: Product, step: dict[str, Any]) -> None:
    """No sandbox answers for the name; the private host has no name server to ask either."""
    status, found = ask(step["unknown"])
    assert status in ("SERVFAIL", "NXDOMAIN"), (status, found)


def ask(said: dict[str, str]) -> tuple[str, list[str]]:
    shown = look(said["container"], *DIG, said["name"], said.get("type", "A")).stdout
    status = re.search(r"status: (\w+)", shown)
    assert status, shown
    return status[1], [line.split()[-1] for line in shown.splitlines() if line and not line.startswith(";")]


def reaches(product: Product, step: dict[str, Any]) -> None:
    done = ping(step["reaches"], "4")
    assert done.returncode == 0, (done.stdout, done.stderr)


def cut_off(product: Product, step: dict[str, Any]) -> None:
    """The target is known, and nothing comes back: ping sent in vain, or found no route."""
    done = ping(step["cut_off"], "1")
    assert done.returncode == 1 or "unreachable" in done.stderr, (done.stdout, done.stderr)


def ping(said: dict[str, str], patience: str) -> subprocess.CompletedProcess[str]:
    return look(said["container"], "ping", "-n", "-c1", "-W", patience, said["to"])


def route(product: Product, step: dict[str, Any]) -> None:
    """The default route as "GATEWAY DEVICE", or null."""
    said = step["route"]
    family = f"-{said.get('family', 4)}"
    shown = json.loads(look(said["container"], "ip", family, "-json", "route", "show", "default").stdout)
    found = [f"{one['gateway']} {one['dev']}" for one in shown]
    assert found == ([said["is"]] if said["is"] else [])


def members(product: Product, step: dict[str, Any]) -> None:
    """The running containers of a network, by name."""
    said = step["members"]
    assert sorted(product.addresses_on(said["network"])) == sorted(said["are"])


def look(where: str, *command: str) -> subprocess.CompletedProcess[str]:
    """By a stock tool, from a container, from the host, or from its neighbour."""
    inside = () if where == HOST else ("ip", "netns", "exec", where)
    return subprocess.run([*inside, *command], capture_output=True, text=True)


STEPS: dict[str, Callable[[Product, dict[str, Any]], None]] = {
    step.__name__: step
    for step in (
        run,
        refuse,
        address,
        interfaces,
        resolves,
        unknown,
        reaches,
        cut_off,
        route,
        members,
    )
}
