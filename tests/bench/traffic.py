"""Traffic on a bridge of ours and out of it, on a host with a thousand networks, beside the same made by hand.

Out of the host it takes the same wires in turn with our firewall table, a thousand networks in its sets, and with the
few rules that a manual tells for one network.
"""

import subprocess
from collections.abc import Callable

from tests.bench.figures import Figure, compare
from tests.bench.overlay import bounce, run, stream
from tests.kernel.scene import Scene
from workers.kernel.edge import Kernel
from workers.planning.objects import Element

ROUNDS = 5
NETWORKS = 1000
NEAR, FAR, OUTSIDE = "10.1.0.3", "10.2.0.3", "198.51.100.2"
RULES = """
table ip reference {
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.1.0.0/16 oifname "refout" masquerade
    }
}
"""


def measure() -> list[Figure]:
    kernel = Kernel()
    try:
        kernel.ensure_table()
        _build(Scene(kernel))
        times: dict[str, tuple[list[float], list[float]]] = {}

        def take(name: str, place: int, work: Callable[..., float], *arguments: str) -> None:
            times.setdefault(name, ([], []))[place].append(work(*arguments))

        for _ in range(ROUNDS):
            take("bridge", 0, stream, "a", "b", NEAR)
            take("bridge", 1, stream, "refa", "refb", FAR)
            for place, rules in enumerate((_our_rules, _reference_rules)):
                rules(kernel)
                take("stream", place, stream, "a", "outside", OUTSIDE)
                take("bounce", place, bounce, "a", "outside", OUTSIDE)
            run("nft delete table ip reference")
    finally:
        run(*(f"ip netns del {name}" for name in ("refa", "refb", "outside")), "ip link del refbr")
        kernel.purge()
        kernel.close()
    return [
        compare("bridge throughput, one TCP connection", *_between(times["bridge"], "MB/s", "by hand")),
        compare(
            f"out of the host, {NETWORKS} networks, TCP", *_between(times["stream"], "MB/s", "three rules")
        ),
        compare(
            f"out of the host, {NETWORKS} networks, trip", *_between(times["bounce"], "us", "three rules")
        ),
    ]


def _between(
    taken: tuple[list[float], list[float]], unit: str, by: str
) -> tuple[list[float], str, list[float], str]:
    return taken[0], unit, taken[1], by


def _build(scene: Scene) -> None:
    """Containers a and b on a network of ours, refa and refb on a bridge by hand, and a machine outside."""
    net = scene.network(1)
    scene.attach("a", net, 2)
    scene.attach("b", net, 3)
    run("ip link add refbr type bridge", "ip link set refbr up", "ip netns add outside")
    for name, address in (("refa", "10.2.0.2"), ("refb", FAR)):
        run(
            f"ip netns add {name}",
            f"ip link add {name} type veth peer name eth0 netns {name}",
            f"ip link set {name} master refbr up",
            f"ip -n {name} addr add {address}/16 dev eth0",
            f"ip -n {name} link set eth0 up",
        )
    run(
        "ip link add refout type veth peer name eth0 netns outside",
        "ip addr add 198.51.100.1/24 dev refout",
        "ip link set refout up",
        f"ip -n outside addr add {OUTSIDE}/24 dev eth0",
        "ip -n outside link set eth0 up",
        "sysctl -qw net.ipv4.ip_forward=1",
    )


def _our_rules(kernel: Kernel) -> None:
    """What a thousand networks have in the firewall, the first of which is there."""
    kernel.ensure_table()
    elements = []
    for number in range(1, NETWORKS + 1):
        device = f'"br-{number:012x}"'
        high, low = divmod(number, 250)
        elements += [
            Element(set="bridges", value=device),
            Element(set="same", value=f"{device} . {device}"),
            Element(set="masquerade4", value="10.1.0.0/16" if number == 1 else f"10.{high + 10}.{low}.0/24"),
        ]
    kernel.apply_elements(elements, [])


def _reference_rules(kernel: Kernel) -> None:
    del kernel
    run("nft delete table inet netadmin")
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
