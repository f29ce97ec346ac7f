"""Answers of two engines to one command: made comparable, and the differences that are meant."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.differential.commands import STOPPED, Command

Members = dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    state: dict[str, Members]
    """Of each network after the command: its running containers, with their addresses."""
    kept: bool = False
    """A stopped container is connected to a network: with us it keeps an address there."""

    @property
    def attachments(self) -> set[tuple[str, str]]:
        return {(network, name) for network, members in self.state.items() for name in members}


OVERLAP = "invalid pool request: Pool overlaps with other one on this address space"
MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"\nexit status 1$"), ""),
    # Between 20.10, the newest engine of Debian 12, and those of today, whose words are ours.
    (re.compile(r"(?<=daemon: )Pool overlaps.*"), OVERLAP),
    (re.compile(r"cannot create network .*: networks have overlapping IPv4"), OVERLAP),
    (re.compile(r"is not connected to the network"), "is not connected to network"),
    (re.compile(r"Error: No such network: (\S+)"), r"Error response from daemon: network \1 not found"),
    (re.compile(r"(network \S+)( id ID)? has active endpoints.*"), r"\1 has active endpoints"),
    (
        re.compile(r"Invalid address (\S+): It does not belong to any of this network's subnets"),
        r"invalid endpoint settings:\nno configured subnet or ip-range contain the IP address \1",
    ),
    (
        re.compile(r"daemon: (user specified IP address is supported)"),
        r"daemon: invalid endpoint settings:\n\1",
    ),
    (
        re.compile(r"container cannot be disconnected from host network or connected to host network"),
        "cannot connect container to host network - container must be created in host network mode",
    ),
)


def mask(text: str) -> str:
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text.strip()


@dataclass(frozen=True)
class Meant:
    why: str
    fits: Callable[[Command, Answer, Answer], bool]
    """Of the command, the engine's answer and ours."""


def _concerns_stopped(command: Command) -> bool:
    return any(name in command for name in STOPPED)


MEANT: Sequence[Meant] = (
    Meant(
        "what a stopped container is connected to is checked at once, not at its start",
        lambda command, theirs, ours: _concerns_stopped(command) and theirs.status == 0 != ours.status,
    ),
    Meant(
        "of several things that are wrong another one is named",
        lambda command, theirs, ours: (
            command[1] == "connect"
            and bool({"--ip", "--alias"} & set(command))
            and bool({"host", "none", "bridge"} & set(command))
            and theirs.state == ours.state
        ),
    ),
    Meant(
        "a network that is not there is named as such, also by force and of a stopped container",
        lambda command, theirs, ours: (
            command[1] == "disconnect"
            and "is not connected to" in theirs.text
            and ours.text.rstrip().endswith(f"network {command[-2]} not found")
        ),
    ),
    Meant(
        "dangling are networks that no container is on, not all that somebody made",
        lambda command, theirs, ours: (
            "dangling=true" in command and set(ours.text.splitlines()) <= set(theirs.text.splitlines())
        ),
    ),
    Meant(
        "a stopped container keeps its address",
        lambda command, theirs, ours: ours.kept and theirs.attachments == ours.attachments,
    ),
    Meant(
        "networks that stopped containers are connected to are spared by prune",
        lambda command, theirs, ours: command[1] == "prune" and set(theirs.state) < set(ours.state),
    ),
)


def compare(command: Command, theirs: Answer, ours: Answer) -> str | None:
    """What differs, as lines for a person; None: nothing that is not meant."""
    found = [
        f"   {name}: docker {one!r}, netadmin {other!r}"
        for name, one, other in (
            ("status", theirs.status, ours.status),
            ("text", mask(theirs.text), mask(ours.text)),
            ("state", theirs.state, ours.state),
        )
        if one != other
    ]
    return "\n".join([f"docker {' '.join(command)}", *found]) if found else None


def meant(command: Command, theirs: Answer, ours: Answer) -> str | None:
    """Why they differ on purpose."""
    return next((one.why for one in MEANT if one.fits(command, theirs, ours)), None)
