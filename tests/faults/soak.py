"""`make soak`, or `python -m tests.faults.soak [MINUTES]`: random changes, kills, halts and
damage, which all has to survive.

Ten minutes unless said otherwise. Prints the seed first (SEED in the environment takes the same turns), then each turn
with the seconds until all agreed again; exit status 1 at the first after which it did not.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.kills import Step, carry_out, carry_out_beside_halted, is_open, part, settle
from tests.faults.points import POINTS
from tests.isolation import enter_private_host, require_root
from tests.product import Product, running_product

MINUTES = 10.0
CONTAINERS, NETWORKS = ("a", "b", "c", "d"), ("bridge", "red", "blue", "green")
DRIVERS: dict[str, dict[str, object]] = {
    "red": {"driver": "bridge"},
    "blue": {
        "driver": "bridge",
        "enable_ipv6": True,
        "subnets": [{"subnet": "10.66.0.0/24"}, {"subnet": "fd66::/64"}],
    },
    "green": {"driver": "bridge", "internal": True},
}
VICTIMS = (
    "host worker",
    "name service",
    "server worker",
    "web server",
    "broker",
    "supervisor",
    "port service",
)
HALTS = (0.5, 2.0, 7.0, 20.0)
"""Seconds for which a part hangs: less and more than others wait for it."""
DAMAGES = (
    "nft flush ruleset",
    "nft flush set inet netadmin bridges",
    "nft delete table inet netadmin",
    "ip link delete group 0x6e616450",
    "ip netns delete {container}",
    "ip -n {container} route flush default",
    "ip -n {container} link set eth0 down",
    "ip -n {container} link delete eth0",
    "ip -n {container} address flush dev eth0",
    "ip -n {container} neigh flush nud permanent dev eth0",
    "rm -f /etc/netns/{container}/resolv.conf",
    "rm -rf /etc/netns/{container}",
)
"""What somebody else may do to a host. Some find nothing to damage: those count as well."""


@dataclass
class Soak:
    """One run: what it does is told by its seed alone, as far as the product does not depend on time."""

    product: Product
    seed: str
    turns: Counter[str] = field(default_factory=Counter)
    weights: tuple[int, int, int, int] = (12, 2, 1, 4)
    """Of changes, kills, halts and damages."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def run(self, seconds: float) -> None:
        """Take turns for so long. AssertionError at the first after which not all agrees."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            kinds = {"change": self._change, "kill": self._kill, "halt": self._halt, "damage": self._damage}
            kind = self._chance.choices([*kinds], weights=self.weights)[0]
            what = kinds[kind]()
            self.turns[kind] += 1
            print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    def clear(self) -> None:
        """Remove everything, after which nothing may be left."""
        for container in CONTAINERS:
            self.product.ask("DELETE", f"containers/{container}/?force=1")
        for network in NETWORKS:
            self.product.ask("DELETE", f"networks/{network}/")
        settle(self.product, "all removed")

    def _change(self) -> str:
        step = self._choose_step()
        answer = self.product.ask(*step)
        # A change that makes no sense is refused, which is an answer; no answer, or an error of the server, is none.
        assert not is_open(answer), (step, answer)
        settle(self.product, (step, answer))
        return f"{step[0]} {step[1]} {answer[0]}"

    def _kill(self) -> str:
        step, victim = self._choose_step(), self._chance.choice(VICTIMS)
        moment = self._chance.choice((*POINTS, 0.0, 0.01, 0.03))
        answers, _ = carry_out(self.product, step, part(self.product, victim), moment)
        return f"{step[0]} {step[1]} {answers[-1][0]}, {victim} killed at {moment}"

    def _halt(self) -> str:
        step, victim = self._choose_step(), self._chance.choice(VICTIMS)
        seconds = self._chance.choice(HALTS)
        answers = carry_out_beside_halted(self.product, step, part(self.product, victim), seconds)
        return f"{step[0]} {step[1]} {answers[-1][0]}, {victim} halted for {seconds:g} s"

    def _damage(self) -> str:
        line = self._chance.choice(DAMAGES).format(container=self._chance.choice(CONTAINERS))
        subprocess.run(line.split(), capture_output=True, check=False)
        settle(self.product, line)
        return line

    def _choose_step(self) -> Step:
        chance = self._chance
        container, network = chance.choice(CONTAINERS), chance.choice(NETWORKS)
        process = chance.choice((["sleep", "100000"], [], ["sleep", "1"]))
        made = {"name": container, "start": True, "command": process, "stop_timeout": 0.0}
        joined = {"container": container, "aliases": chance.choice(([], ["web"], ["web", "db"]))}
        weighted: list[tuple[Step, int]] = [
            (("POST", "networks/", {"name": network, **DRIVERS.get(network, {})}), 2),
            (("POST", "containers/", made), 6),
            (("POST", f"networks/{network}/connect/", joined), 6),
            (("POST", f"networks/{network}/disconnect/", {"container": container}), 3),
            (("POST", f"containers/{container}/stop/", {}), 2),
            (("POST", f"containers/{container}/start/", {}), 4),
            (("POST", f"containers/{container}/restart/", {}), 2),
            (("DELETE", f"containers/{container}/?force=1", None), 2),
            (("DELETE", f"networks/{network}/", None), 1),
        ]
        return chance.choices([step for step, _ in weighted], weights=[weight for _, weight in weighted])[0]


def choose_seed(usual: str = "") -> str:
    """The environment's SEED, else `usual`, else a new one; printed, so that a failure can be repeated."""
    seed = os.environ.get("SEED") or usual or str(random.randrange(1 << 32))
    print(f"SEED={seed}", flush=True)
    return seed


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    require_root()
    enter_private_host()
    with (
        tempfile.TemporaryDirectory(prefix="netadmin-soak-") as folder,
        running_product(Path(folder)) as product,
    ):
        soak = Soak(product, choose_seed())
        try:
            soak.run(60 * minutes)
            soak.clear()
        except AssertionError:
            print(product.read_logs())
            raise
        told = ", ".join(f"{count} {kind}s" for kind, count in sorted(soak.turns.items()))
        print(f"{soak.turns.total()} turns ({told}), after each of which all agreed")


if __name__ == "__main__":
    main()
