"""`make diff-docker`: the same random network commands to Docker's own engine and to netadmin, answers compared.

`python -m tests.differential [SEED [SEQUENCES]]`; exit status 1 when an answer differs that is not meant to.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.differential.answers import Answer, Members, compare, meant
from tests.differential.commands import CONTAINERS, RUNNING, STOPPED, Command, draw_commands
from tests.docker import Docker
from tests.dockerd import Dockerd, EngineMissing, running
from tests.isolation import enter_private_host
from tests.product import Product

SEQUENCES, COMMANDS = 20, 40


@dataclass(frozen=True)
class Side:
    docker: Docker
    make_container: Callable[[str, bool], None]
    """With the name; and whether it runs."""
    remove_container: Callable[[str], object]
    """Whether it is there or not."""

    def ask(self, command: Command, kept: bool) -> Answer:
        done = self.docker.run(*command)
        return Answer(done.returncode, done.stdout + done.stderr, self.read_state(), kept)

    def read_state(self) -> dict[str, Members]:
        names = self.docker.do("network ls --format {{.Name}}").split()
        shown = json.loads(self.docker.do("network inspect " + " ".join(names)))
        return {
            network["Name"]: {one["Name"]: one["IPv4Address"] for one in network["Containers"].values()}
            for network in shown
        }

    def begin(self) -> None:
        """Containers anew, and no networks but the engine's own."""
        for name in CONTAINERS:
            self.remove_container(name)
        if custom := self.docker.do("network ls -q --filter type=custom").split():
            self.docker.do("network rm " + " ".join(custom))
        for name in CONTAINERS:
            self.make_container(name, name in RUNNING)


def side_of_docker(engine: Dockerd, product: Product) -> Side:
    def make(name: str, runs: bool) -> None:
        engine.do(*(("run", "-d") if runs else ("create",)), "--name", name, "busybox", "sleep", "100000")

    return Side(Docker(product, address=engine.host), make, lambda name: engine.run("rm", "-f", name))


def side_of_netadmin(product: Product) -> Side:
    def make(name: str, runs: bool) -> None:
        product.do(f"{'run -d' if runs else 'create'} --name {name}")

    return Side(Docker(product), make, lambda name: product.run("rm", "-f", name))


def run_sequence(seed: int, theirs: Side, ours: Side, counted: Counter[str]) -> str | None:
    """What differs, or None. It ends early when the two are, as is meant, not in the same state any more."""
    theirs.begin()
    ours.begin()
    kept = False
    for command in draw_commands(seed, COMMANDS):
        counted["commands"] += 1
        answers = theirs.ask(command, kept), ours.ask(command, kept)
        kept |= command[1] == "connect" and command[-1] in STOPPED and answers[1].status == 0
        difference = compare(command, *answers)
        if difference is None:
            continue
        why = meant(command, *answers)
        if why is None:
            return f"seed {seed}: {difference}"
        counted[why] += 1
        if answers[0].state != answers[1].state or answers[0].status != answers[1].status:
            break
    return None


def run(first_seed: int, sequences: int, state: Path) -> int:
    product = Product(state)
    counted: Counter[str] = Counter()
    found = []
    with running(state / "dockerd") as engine:
        enter_private_host()
        product.start()
        try:
            sides = side_of_docker(engine, product), side_of_netadmin(product)
            for seed in range(first_seed, first_seed + sequences):
                if difference := run_sequence(seed, *sides, counted):
                    found.append(difference)
                    print(difference, flush=True)
        finally:
            product.stop()
            product.kill_leftovers()
            product.run("host", "purge")
    print(f"{counted.pop('commands', 0)} commands in {sequences} sequences, {len(found)} differences")
    for why, times in counted.most_common():
        print(f"   meant, {times} times: {why}")
    return 1 if found else 0


def main(words: list[str]) -> int:
    first_seed, sequences = [*(int(word) for word in words), *(1, SEQUENCES)[len(words) :]]
    with tempfile.TemporaryDirectory(prefix="netadmin-diff-") as folder:
        try:
            return run(first_seed, sequences, Path(folder))
        except EngineMissing as missing:
            print(f"Not compared: {missing}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
