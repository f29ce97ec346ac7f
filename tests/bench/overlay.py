"""The tunnel of an overlay beside one that was made by hand with `ip` and `bridge`, and a thousand remote endpoints."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.figures import Figure, compare
from tests.bench.probe import open_inside
from tests.kernel.fleet import HostOfFleet, container, endpoint, mac_of, overlay, peer
from workers.planning.objects import Remote

ROUNDS = 5
SECONDS = 1.0
TRIPS = 3000
REMOTES = 1000
BY_HAND = "hand-made VXLAN"
HERE = "/proc/self/ns/net"


def run(*lines: str) -> None:
    for line in lines:
        subprocess.run(line.split(), check=True, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[tuple[HostOfFleet, HostOfFleet]]:
    run(
        "ip netns add far",
        "ip link add under0 type veth peer name under0 netns far",
        "ip addr add 192.168.5.11/24 dev under0",
        "ip link set under0 up",
        "ip -n far addr add 192.168.5.12/24 dev under0",
        "ip -n far link set under0 up",
        "ip -n far link set lo up",
    )
    near, far = HostOfFleet("near", HERE), HostOfFleet("far", "/run/netns/far")
    try:
        yield near, far
    finally:
        far.close()
        near.close()
        run("ip link del under0", "ip netns del far")


def build_by_hand() -> None:
    """Containers refa and refb, 10.99.0.2 and .3, behind bridges and VXLAN devices as a manual makes them."""
    for prefix, name, local, remote, own, other in (
        ("ip", "refa", "192.168.5.11", "192.168.5.12", "10.99.0.2", "10.99.0.3"),
        ("ip -n far", "refb", "192.168.5.12", "192.168.5.11", "10.99.0.3", "10.99.0.2"),
    ):
        fdb = "bridge" if prefix == "ip" else "bridge -n far"
        run(
            f"ip netns add {name}",
            f"{prefix} link add refbr type bridge",
            f"{prefix} link add refvx type vxlan id 77 local {local} dstport 4789 nolearning",
            f"{prefix} link set refvx mtu 1450 master refbr up",
            f"{prefix} link set refbr up",
            f"{prefix} link add refve mtu 1450 type veth peer name eth0 mtu 1450 address {mac_of(own)} netns {name}",
            f"{prefix} link set refve master refbr up",
            f"ip -n {name} addr add {own}/24 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"{fdb} fdb append {mac_of(other)} dev refvx dst {remote} self",
            f"ip -n {name} neigh add {other} lladdr {mac_of(other)} dev eth0",
        )


def stream(sender: str, receiver: str, address: str) -> float:
    """Megabytes a second over one TCP connection."""
    listener = open_inside(receiver, kind=socket.SOCK_STREAM)
    listener.bind((address, 0))
    listener.listen()
    received = [0]

    def take() -> None:
        connection, _ = listener.accept()
        while data := connection.recv(1 << 20):
            received[0] += len(data)

    taker = threading.Thread(target=take)
    taker.start()
    giver = open_inside(sender, kind=socket.SOCK_STREAM)
    giver.connect(listener.getsockname())
    block, end, began = bytes(1 << 20), time.perf_counter() + SECONDS, time.perf_counter()
    while time.perf_counter() < end:
        giver.sendall(block)
    giver.close()
    taker.join()
    listener.close()
    return received[0] / (time.perf_counter() - began) / 1e6


def bounce(asker: str, answerer: str, address: str) -> float:
    """Microseconds of a round trip of a small datagram."""
    far = open_inside(answerer, bind=(address, 0))

    def echo() -> None:
        for _ in range(TRIPS):
            data, whence = far.recvfrom(64)
            far.sendto(data, whence)

    thread = threading.Thread(target=echo)
    thread.start()
    near = open_inside(asker)
    near.connect(far.getsockname())
    began = time.perf_counter()
    for _ in range(TRIPS):
        near.send(b"x")
        near.recv(64)
    took = time.perf_counter() - began
    thread.join()
    return took / TRIPS * 1e6


def measure() -> list[Figure]:
    with two_hosts() as hosts:
        near, far = hosts
        for host, name, ipv4, other, other_ipv4, elsewhere in (
            (near, "ours-a", "10.98.0.2", "ours-b", "10.98.0.3", "far"),
            (far, "ours-b", "10.98.0.3", "ours-a", "10.98.0.2", "near"),
        ):
            network = overlay(1, host.name, "10.98.0.0/16")
            host.put(network, peer(other, network, other_ipv4, elsewhere))
            host.put(container(name), endpoint(name, network, ipv4))
        build_by_hand()
        ours: dict[str, list[float]] = {"stream": [], "bounce": []}
        theirs: dict[str, list[float]] = {"stream": [], "bounce": []}
        for _ in range(ROUNDS):
            ours["stream"].append(stream("ours-a", "ours-b", "10.98.0.3"))
            theirs["stream"].append(stream("refa", "refb", "10.99.0.3"))
            ours["bounce"].append(bounce("ours-a", "ours-b", "10.98.0.3"))
            theirs["bounce"].append(bounce("refa", "refb", "10.99.0.3"))
        figures = [
            compare(
                "overlay throughput, one TCP connection", ours["stream"], "MB/s", theirs["stream"], BY_HAND
            ),
            compare("overlay round trip", ours["bounce"], "us", theirs["bounce"], BY_HAND),
            *_program(near),
        ]
        run("ip netns del refa", "ip netns del refb", "ip link del refbr", "ip link del refvx")
    return figures


def _program(host: HostOfFleet) -> list[Figure]:
    """Remote endpoints as a host that joins a large network gets them, and one by one."""
    remotes = [
        Remote(
            bridge="ov-4106",
            tunnel="vx-4106",
            mac=mac_of(f"10.98.{number // 250 + 1}.{number % 250 + 1}"),
            vtep="192.168.5.12",
            addresses=(f"10.98.{number // 250 + 1}.{number % 250 + 1}",),
        )
        for number in range(REMOTES)
    ]
    bulk, by_batch, single = [], [], {10: [0.0], REMOTES: [0.0]}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        host.kernel.apply_remotes(remotes, [])
        bulk.append((time.perf_counter() - began) * 1000)
        host.kernel.apply_remotes([], remotes)
        by_batch.append(_batch(remotes))
    for count in single:
        host.kernel.apply_remotes(remotes[: count - 1], [])
        times = []
        for _ in range(25):
            began = time.perf_counter()
            host.kernel.create(remotes[count - 1])
            times.append((time.perf_counter() - began) * 1000)
            host.kernel.remove(remotes[count - 1])
        single[count] = times
        host.kernel.apply_remotes([], remotes)
    return [
        compare(f"{REMOTES} remote endpoints programmed", bulk, "ms", by_batch, "bridge -batch, ip -batch"),
        compare(f"remote endpoint {REMOTES} programmed", single[REMOTES], "ms", single[10], "the tenth"),
    ]


def _batch(remotes: list[Remote]) -> float:
    """Milliseconds for the same entries by the tools' own batches."""
    entries = [(remote.mac, remote.vtep, remote.addresses[0]) for remote in remotes]
    times = 0.0
    for verb in ("replace", "del"):
        fdb = "".join(
            f"fdb {verb} {mac} dev refvx dst {end} self\nfdb {verb} {mac} dev refvx master static\n"
            for mac, end, _ in entries
        )
        state = "nud permanent" if verb == "replace" else ""
        neighbours = "".join(
            f"neigh {verb} {address} lladdr {mac} dev refvx {state}\n" for mac, _, address in entries
        )
        began = time.perf_counter()
        for tool, text in (("bridge", fdb), ("ip", neighbours)):
            subprocess.run([tool, "-batch", "-"], input=text, text=True, capture_output=True, check=False)
        times = times or (time.perf_counter() - began) * 1000
    return times
