"""Several hosts on one machine: each a network and a mount namespace of its own, joined by an underlay bridge.

The first runs the server, the others join it by what `netadmin host add` prints, as a person would type it.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.product import NETADMIN, Product, find_processes_of

UNDERLAY = "under"
HOLD = "mount --make-rprivate / && for d in /run/netns /etc/netns; do mkdir -p $d && mount -t tmpfs none $d; done && "
HOLD += "mount -t sysfs none /sys && ip link set lo up && echo ready && exec sleep infinity"
PATIENCE = 60.0
# https://man7.org/linux/man-pages/man7/packet.7.html; Python has no names for them.
_SO_RCVBUFFORCE, _SOL_PACKET, _PACKET_STATISTICS = 33, 263, 6


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def await_true(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true in {patience:g} s: {what}"
        time.sleep(0.05)


@dataclass
class Machine:
    """A host's machine: what holds its namespaces, and its worker when it has joined."""

    name: str
    address: str
    folder: Path
    holder: subprocess.Popen[str]
    worker: subprocess.Popen[bytes] | None = None

    @property
    def prefix(self) -> list[str]:
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "--"]

    @property
    def link(self) -> str:
        """Its end of the underlay on the bridge's side."""
        return f"u-{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETADMIN_")}
        return {**kept, "NETADMIN_STATE_DIR": str(self.folder)}

    def run(self, *command: str) -> str:
        return run(*self.prefix, *command)

    def join(self, command: str) -> None:
        """Run the line that was printed, which keeps the host running."""
        words = command.split()
        assert words[:3] == ["netadmin", "worker", "join"]
        self._start(NETADMIN, *words[1:])

    def start(self) -> None:
        self._start(NETADMIN, "worker", "run")

    def start_from(self, folder: Path) -> None:
        """With the workers that lie in the folder."""
        self._start("env", f"--chdir={folder}", sys.executable, "-m", "workers", "run")

    def _start(self, *command: str) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [*self.prefix, *command],
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.worker is not None and self.worker.poll() is None:
            self.worker.send_signal(signal.SIGINT)
            self.worker.wait(PATIENCE)

    def kill(self) -> None:
        """Every process of the worker at once, as when the power goes; the kernel's state stays."""
        for pid in find_processes_of(self.folder):
            os.kill(pid, signal.SIGKILL)
        if self.worker is not None:
            self.worker.wait(PATIENCE)

    def read_logs(self) -> str:
        paths = sorted(self.folder.rglob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)


@dataclass
class Fleet:
    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    product: Product = field(init=False)

    def build(self, count: int) -> None:
        """Machines node1 … on an underlay, the server on the first, all of them joined and heard."""
        first = self.lay_underlay()
        self.start_server({"NETADMIN_BROKER_LISTEN": f"{first.address}:6390"})
        others = [self.add_machine(number) for number in range(2, count + 1)]
        for machine in others:
            self.let_join(machine)
        for machine in others:
            self.await_state(machine.name, "online")

    def lay_underlay(self) -> Machine:
        """The underlay with the first machine on it."""
        run("ip", "link", "add", UNDERLAY, "type", "bridge", "mcast_snooping", "0")
        run("ip", "addr", "add", "192.168.5.1/24", "dev", UNDERLAY)
        run("ip", "link", "set", UNDERLAY, "up")
        return self.add_machine(1)

    def start_server(self, settings: dict[str, str]) -> None:
        first = self.machines["node1"]
        usual = {
            "NETADMIN_ADVERTISE": first.address,
            "NETADMIN_PUBLIC_URL": f"http://{first.address}:8000",
        }
        self.product = Product(
            first.folder, f"{first.address}:8000", settings={**usual, **settings}, prefix=first.prefix
        )
        self.product.start()

    def add_machine(self, number: int) -> Machine:
        name, address = f"node{number}", f"192.168.5.{10 + number}"
        folder = self.folder / name
        folder.mkdir()
        holder = subprocess.Popen(
            ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c", HOLD],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None and holder.stdout.readline() == "ready\n"
        machine = self.machines[name] = Machine(name, address, folder, holder)
        run("ip", "link", "add", machine.link, "type", "veth", "peer", "eth0", "netns", str(holder.pid))
        run("ip", "link", "set", machine.link, "master", UNDERLAY, "up")
        for command in (
            f"addr add {address}/24 dev eth0",
            "link set eth0 up",
            "route add default via 192.168.5.1",
        ):
            machine.run("ip", *command.split())
        return machine

    def join(self, machine: Machine) -> None:
        self.let_join(machine)
        self.await_state(machine.name, "online")

    def let_join(self, machine: Machine) -> None:
        """It is on its way then."""
        done = self.product.run("host", "add", machine.name, "--advertise", machine.address)
        assert done.returncode == 0, done.stderr
        machine.join(done.stdout.strip())

    def state_of(self, name: str) -> str:
        (shown,) = json.loads(self.product.do(f"host inspect {name}"))
        return str(shown["state"])

    def await_state(self, name: str, state: str, patience: float = PATIENCE) -> None:
        try:
            await_true(lambda: self.state_of(name) == state, f"{name} is {state}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.machines[name].read_logs()}") from None

    def close(self) -> list[str]:
        """End everything; command lines of what did not end when it was told to."""
        for machine in self.machines.values():
            machine.stop()
        self.product.stop()
        left = self.product.kill_leftovers()
        for machine in self.machines.values():
            left += [str(pid) for pid in find_processes_of(machine.folder)]
            machine.kill()
            machine.holder.kill()
            machine.holder.wait()
            subprocess.run(["ip", "link", "del", machine.link], capture_output=True)
        run("ip", "link", "del", UNDERLAY)
        return left

    # What happens in containers

    def inside(self, host: str, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        words = [*self.machines[host].prefix, "ip", "netns", "exec", container, *command]
        return subprocess.run(words, capture_output=True, text=True)

    def ping(self, host: str, container: str, target: str, wait: int = 1) -> bool:
        return self.inside(host, container, "ping", "-c1", f"-W{wait}", target).returncode == 0

    def address_of(self, host: str, container: str, name: str) -> str:
        """What the name service of the container says first; empty: nothing."""
        return self.inside(host, container, "getent", "ahostsv4", name).stdout.partition(" ")[0]

    def sandboxes(self, host: str) -> set[str]:
        return set(self.machines[host].run("ls", "/run/netns").split())

    def forwarding(self, host: str) -> set[tuple[str, str]]:
        """(MAC, far end) of all entries of the host's tunnels."""
        lines = self.machines[host].run("bridge", "fdb", "show").splitlines()
        found = [line.split() for line in lines if " dst " in line]
        return {(words[0], words[words.index("dst") + 1]) for words in found}


class Sniffer:
    """VXLAN frames between hosts, seen on the underlay: (VNI, far end, inner destination MAC, inner type)."""

    def __init__(self, links: Iterable[str]) -> None:
        self._sockets = []
        for link in links:
            each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 23)
            each.bind((link, 0))
            each.setblocking(False)
            self._sockets.append(each)

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def frames(self) -> Iterator[tuple[int, str, str, int]]:
        """What was seen since the last call. AssertionError when the kernel could not keep up, and dropped some."""
        for each in self._sockets:
            _, dropped = struct.unpack("II", each.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
            assert not dropped, f"{dropped} frames were not seen"
            while True:
                try:
                    data = each.recv(65535)
                except BlockingIOError:
                    break
                if data[12:14] == b"\x08\x00" and data[23] == 17 and data[36:38] == (4789).to_bytes(2, "big"):
                    inner = data[50:]
                    kind = int.from_bytes(inner[12:14], "big")
                    yield (
                        int.from_bytes(data[46:49], "big"),
                        socket.inet_ntoa(data[30:34]),
                        inner[:6].hex(":"),
                        kind,
                    )


@contextmanager
def sniffing(fleet: Fleet) -> Iterator[Sniffer]:
    sniffer = Sniffer(machine.link for machine in fleet.machines.values())
    try:
        yield sniffer
    finally:
        sniffer.close()
