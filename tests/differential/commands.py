"""Random network commands, the same for the same seed; from few names and blocks, so that they meet each other."""

import random
from collections.abc import Iterator

NETWORKS = ("net1", "net2", "net3")
RUNNING, STOPPED = ("box1", "box2"), ("box3",)
CONTAINERS = RUNNING + STOPPED
MISSING = "nosuch"
SUBNETS = ("10.60.0.0/16", "10.60.1.0/24", "10.61.0.0/24", "10.62.0.0/29", "10.63.0.0/24", "172.17.3.0/24")
ALIASES = ("app", "db")
Command = tuple[str, ...]


def draw_commands(seed: int, count: int) -> Iterator[Command]:
    """`docker network …` command lines, without `docker`; each says how it shows what it found."""
    chance = random.Random(seed)
    kinds = (_create, _connect, _disconnect, _remove, _list, _prune)
    for _ in range(count):
        (kind,) = chance.choices(kinds, weights=(6, 10, 5, 3, 2, 1))
        yield ("network", *kind(chance))


def _create(chance: random.Random) -> Command:
    subnet = chance.choice(SUBNETS)
    base = subnet.rpartition(".")[0]
    words = ["create", "--subnet", subnet]
    if chance.random() < 0.3:
        words += ["--gateway", f"{base}.{chance.choice((1, 3, 6))}"]
    # Over docker0's own block a range makes the engine lose its default bridge.
    if chance.random() < 0.2 and not subnet.startswith(("10.62", "172.17")):
        words += ["--ip-range", f"{base}.64/27"]
    if chance.random() < 0.2:
        words += ["--aux-address", f"spare={base}.2"]
    if chance.random() < 0.2:
        words += ["--internal"]
    if chance.random() < 0.3:
        words += ["--label", f"kind={chance.choice(('x', 'y'))}"]
    return (*words, _name(chance, NETWORKS, "bridge", "host"))


def _connect(chance: random.Random) -> Command:
    words = ["connect"]
    if chance.random() < 0.35:
        words += ["--ip", f"10.6{chance.randrange(4)}.{chance.choice((0, 0, 1))}.{chance.randrange(8)}"]
    if chance.random() < 0.3:
        words += ["--alias", chance.choice(ALIASES)]
    if chance.random() < 0.2:
        words += ["--link", f"{chance.choice(RUNNING)}:peer"]
    return (*words, _name(chance, NETWORKS, "bridge", "none", "host"), _name(chance, RUNNING, *STOPPED))


def _disconnect(chance: random.Random) -> Command:
    force = ("--force",) if chance.random() < 0.2 else ()
    return ("disconnect", *force, _name(chance, NETWORKS, "bridge"), _name(chance, RUNNING, *STOPPED))


def _remove(chance: random.Random) -> Command:
    return ("rm", *(_name(chance, NETWORKS, "bridge") for _ in range(chance.choice((1, 1, 2)))))


def _list(chance: random.Random) -> Command:
    filters = (
        "driver=bridge",
        "label=kind",
        "label=kind=x",
        "name=net",
        "type=custom",
        "dangling=true",
        "scope=local",
    )
    return ("ls", "--filter", chance.choice(filters), "--format", "{{.Name}} {{.Driver}} {{.Scope}}")


def _prune(chance: random.Random) -> Command:
    return ("prune", "-f", "--filter", f"label=kind={chance.choice(('x', 'y'))}")


def _name(chance: random.Random, usual: tuple[str, ...], *others: str) -> str:
    """One of the usual ones as a rule."""
    return chance.choice((*others, MISSING)) if chance.random() < 0.12 else chance.choice(usual)
