"""What the tests have on their private host: sandboxes, a running name service, and ways to ask it."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.contract.names import Attachment, Holder, View
from workers.contract.state import Link
from workers.dns.client import NameService, NameServiceError

CLONE_NEWNET = 0x40000000
SERVER = ("127.0.0.11", 53)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Reply:
    status: str
    flags: tuple[str, ...]
    answers: tuple[str, ...]
    """`name TTL TYPE value`."""
    size: int

    @property
    def values(self) -> list[str]:
        return [answer.split(" ", 3)[3] for answer in self.answers]


class NameServer:
    """The process under test with its socket, memory and resolv.conf in one folder."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "names.sock"
        self.memory = folder / "names.memory"
        self.resolv_conf = folder / "resolv.conf"
        self.log = folder / "names.log"
        self.client = NameService(str(self.socket), timeout=10)
        self.process: subprocess.Popen[bytes] | None = None
        self.without_uvloop = False

    def arguments(self) -> list[str]:
        hidden = "import sys, runpy; sys.modules['uvloop'] = None; runpy.run_module('workers.dns', None, '__main__')"
        return [
            *(sys.executable, *(("-c", hidden) if self.without_uvloop else ("-m", "workers.dns"))),
            *("--socket", str(self.socket), "--memory", str(self.memory)),
            *("--resolv-conf", str(self.resolv_conf)),
        ]

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.arguments(), stderr=log)

    def start(self) -> None:
        self.launch()
        wait_until(self._answers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process if it runs; its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(timeout=10)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.client.stats()
        except NameServiceError:
            return False
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def make_namespace(name: str) -> None:
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)


def delete_namespace(name: str) -> None:
    subprocess.run(["ip", "netns", "delete", name], check=False, stderr=subprocess.DEVNULL)


def dig(sandbox: str, *arguments: str, seconds: int = 8) -> Reply:
    """Ask as a person would; arguments as dig takes them."""
    command = [
        "ip",
        "netns",
        "exec",
        sandbox,
        "dig",
        "@127.0.0.11",
        f"+time={seconds}",
        "+tries=1",
        *arguments,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    status = re.search(r"status: (\w+)", text)
    flags = re.search(r"flags: ([a-z ]*);", text)
    size = re.search(r"MSG SIZE +rcvd: (\d+)", text)
    assert status and flags and size, text
    section = text.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
    answers = (line.split(None, 4) for line in section.splitlines())
    return Reply(
        status[1],
        tuple(flags[1].split()),
        tuple(f"{owner} {ttl} {kind} {value}" for owner, ttl, _, kind, value in answers),
        int(size[1]),
    )


@contextlib.contextmanager
def inside(sandbox: str) -> Iterator[None]:
    """Sockets made within are the sandbox's."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{sandbox}", os.O_RDONLY)
    try:
        assert _libc.setns(there, CLONE_NEWNET) == 0
        yield
    finally:
        assert _libc.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


def udp_to(sandbox: str, seconds: float = 5.0) -> socket.socket:
    with inside(sandbox):
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.settimeout(seconds)
    door.connect(SERVER)
    return door


def tcp_to(sandbox: str, seconds: float = 5.0) -> socket.socket:
    with inside(sandbox):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.settimeout(seconds)
    door.connect(SERVER)
    return door


def holder(
    name: str,
    *aliases: str,
    network: str = "a",
    ipv4: str | None = None,
    ipv6: str | None = None,
    order: int = 0,
) -> Holder:
    """An endpoint of a container `name`; its id is `network`-`name`."""
    return Holder(
        endpoint=f"{network}-{name}",
        container=container_id(name),
        network=network,
        names=(name, *aliases, container_id(name)[:12]),
        ipv4=ipv4,
        ipv6=ipv6,
        order=order,
    )


def view(
    sandbox: str,
    *networks: str,
    links: tuple[Link, ...] = (),
    forward: bool = True,
    servers: tuple[str, ...] = (),
) -> View:
    """What `sandbox` sees: the networks in order, its links on the first."""
    attachments = tuple(
        Attachment(network=network, network_name=f"net-{network}", links=() if number else links)
        for number, network in enumerate(networks)
    )
    return View(
        container=container_id(sandbox),
        sandbox=sandbox,
        attachments=attachments,
        forward=forward,
        servers=servers,
    )


def container_id(name: str) -> str:
    return name.encode().hex().rjust(64, "f")[-64:][::-1]
