"""Networks and containers for the kernel suite, told in numbers: network 1 is 10.1.0.0/16 and fd00:1::/64."""

import re
import subprocess
from dataclasses import dataclass, field

from workers.kernel.edge import Kernel
from workers.planning.objects import Bridge, Element, Files, KernelObject, Objects, Port, Routes, Sandbox


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def identity(text: str) -> str:
    """64 hex digits that begin with the text's own."""
    return (text.encode().hex() + "0" * 64)[:64]


def ping(sandbox: str, target: str) -> float | None:
    """Milliseconds to the first answer; None: none within a second."""
    command = ["ip", "netns", "exec", sandbox, "ping", "-n", "-c1", "-W1", target]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    time = re.search(r"time=([\d.]+) ms", answer.stdout)
    return float(time.group(1)) if time else None


def bridge(number: int, *, ipv6: bool = False, filtered: bool = False, mtu: int = 1500) -> Bridge:
    addresses = (f"10.{number}.0.1/16", f"fd00:{number}::1/64") if ipv6 else (f"10.{number}.0.1/16",)
    return Bridge(
        network=identity(f"net{number}"),
        device=f"br-{number:012x}",
        mac=f"02:42:0a:{number:02x}:00:01",
        mtu=mtu,
        addresses=addresses,
        filtered=filtered,
    )


def sandbox(name: str, incarnation: int = 1) -> Sandbox:
    return Sandbox(container=identity(name), name=name, incarnation=incarnation)


def port(name: str, on: Bridge, host: int, interface: str = "eth0") -> Port:
    number = int(on.device[3:], 16)
    ipv6 = len(on.addresses) > 1
    return Port(
        endpoint=identity(f"{number}.{host}"),
        container=identity(name),
        sandbox=name,
        device=f"veth{number:03x}{host:04x}",
        bridge=on.device,
        interface=interface,
        mac=f"02:42:0a:{number:02x}:00:{host:02x}",
        mtu=on.mtu,
        addresses=(f"10.{number}.0.{host}/16", *((f"fd00:{number}::{host:x}/64",) if ipv6 else ())),
        gateways=tuple((address.split("/")[0], on.mac) for address in on.addresses),
    )


def routes(name: str, on: Bridge, interface: str = "eth0") -> Routes:
    gateways = [(address.split("/")[0], interface) for address in on.addresses]
    return Routes(
        container=identity(name), sandbox=name, ipv4=gateways[0], ipv6=gateways[1] if gateways[1:] else None
    )


def files(name: str, hosts: str = "127.0.0.1\tlocalhost\n") -> Files:
    return Files(
        container=identity(name),
        sandbox=name,
        resolv_conf="search example.test\nnameserver 127.0.0.11\n",
        hosts=hosts,
        hostname=f"{name}\n",
    )


def elements(on: Bridge, *, icc: bool = True, internal: bool = False) -> list[Element]:
    quoted = f'"{on.device}"'
    found = [Element(set="bridges", value=quoted)]
    if icc:
        found.append(Element(set="same", value=f"{quoted} . {quoted}"))
    if internal:
        found.append(Element(set="internal", value=quoted))
    return found


@dataclass
class Scene:
    """Creates objects and remembers them, to be compared with what is observed."""

    kernel: Kernel
    wanted: Objects = field(default_factory=dict)

    def create(self, *objects: KernelObject) -> None:
        for wanted in objects:
            self.kernel.create(wanted)
            self.wanted[wanted.key] = wanted

    def network(self, number: int, *, icc: bool = True, internal: bool = False, ipv6: bool = False) -> Bridge:
        made = bridge(number, ipv6=ipv6, filtered=not icc)
        self.create(made, *elements(made, icc=icc, internal=internal))
        return made

    def attach(self, name: str, on: Bridge, host: int) -> Port:
        made = port(name, on, host)
        self.create(sandbox(name), made, routes(name, on))
        return made

    def remove(self, found: KernelObject) -> None:
        self.kernel.remove(found)
        del self.wanted[found.key]
