"""The network that the recorded hosts hung on: a neighbour with a name server, 198.51.100.1, at their up0."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.dns.host import inside
from tests.dns.upstream import Upstream

NEIGHBOUR = "198.51.100.1"
SPACE = "outside"


class Seen(list[tuple[str, str, str]]):
    """Questions, also in a file, for `uplog` of a shell."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        path.touch()

    def append(self, question: tuple[str, str, str]) -> None:
        super().append(question)
        _, name, kind = question
        with self._path.open("a") as file:
            file.write(f"query[{kind}] {name.removesuffix('.')}\n")


@contextmanager
def uplink(seen: Path) -> Iterator[None]:
    """Of the private host; the neighbour is the namespace `outside`, and its name server that of resolv.conf."""
    for command in (
        f"ip netns add {SPACE}",
        f"ip link add up0 type veth peer name up0 netns {SPACE}",
        "ip addr add 198.51.100.2/24 dev up0",
        "ip link set up0 up",
        f"ip -n {SPACE} addr add {NEIGHBOUR}/24 dev up0",
        f"ip -n {SPACE} link set up0 up",
        f"ip -n {SPACE} link set lo up",
        f"ip route add default via {NEIGHBOUR}",
    ):
        subprocess.run(command.split(), check=True)
    resolv_conf = Path("/etc/resolv.conf")
    before = resolv_conf.read_text()
    resolv_conf.write_text(f"nameserver {NEIGHBOUR}\n")
    with inside(SPACE):
        upstream = Upstream(NEIGHBOUR)
        upstream.seen = Seen(seen)
    yield
    with inside(SPACE):
        upstream.close()
    resolv_conf.write_text(before)
    subprocess.run(["ip", "netns", "del", SPACE], check=True)
