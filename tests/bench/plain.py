"""The same steps by hand: plain `ip` commands, one after the other, on a network of the same size."""

import multiprocessing
import subprocess
from multiprocessing.process import BaseProcess

from tests.bench.probe import open_inside

BRIDGE, MEMBERS, ASKER = "refbr", "refmembers", "refasker"
SUBNET = "10.251"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def ip_batch(options: list[str], lines: list[str]) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True)


class Plain:
    """A bridge with `size` members, one of whom (`refasker`) asks for those who come."""

    def __init__(self) -> None:
        self.size = self._addresses = 0
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{SUBNET}.0.1/16", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for name in (MEMBERS, ASKER):
            ip("netns", "add", name)
        self.connect(ASKER, "refask0", f"{SUBNET}.255.1")

    def next_address(self) -> str:
        """One that nobody had: the others know those of before under another MAC for half a minute."""
        self._addresses += 1
        high, low = divmod(self._addresses, 250)
        return f"{SUBNET}.{200 + high}.{low + 1}"

    def grow(self, size: int) -> None:
        """Their other ends share one namespace; on the bridge they are what as many containers would be."""
        numbers = range(self.size, size)
        host_ends = [
            f"link {words}"
            for number in numbers
            for words in (
                f"add refm{number} type veth peer name eth{number} netns {MEMBERS}",
                # A thousand ends that solicit routers on one bridge would be what is measured.
                f"set refm{number} addrgenmode none",
                f"set refm{number} master {BRIDGE} up",
            )
        ]
        ip_batch([], host_ends)
        inner_ends = [f"link set eth{n} {word}" for n in numbers for word in ("addrgenmode none", "up")]
        ip_batch(["-n", MEMBERS], inner_ends)
        self.size = size

    def connect(self, namespace: str, device: str, address: str) -> None:
        ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("link", "set", device, "master", BRIDGE, "up")
        ip("-n", namespace, "addr", "add", f"{address}/16", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")

    def disconnect(self, device: str) -> None:
        ip("link", "delete", device)

    def run(self, namespace: str, device: str, address: str) -> None:
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        self.connect(namespace, device, address)
        ip("-n", namespace, "route", "add", "default", "via", f"{SUBNET}.0.1")

    def remove(self, namespace: str, device: str) -> None:
        self.disconnect(device)
        ip("netns", "delete", namespace)

    def create_network(self, device: str, gateway: str) -> None:
        ip("link", "add", device, "type", "bridge")
        ip("addr", "add", gateway, "dev", device)
        ip("link", "set", device, "up")


def start_echo(namespace: str) -> BaseProcess:
    """A bare UDP echo in Python where a name service would answer: the most that one socket can do."""
    ip("-n", namespace, "link", "set", "lo", "up")
    door = open_inside(namespace, bind=("127.0.0.11", 53))

    def echo() -> None:
        while True:
            question, asker = door.recvfrom(4096)
            door.sendto(question, asker)

    process = multiprocessing.get_context("fork").Process(target=echo, daemon=True)
    process.start()
    door.close()
    return process
