"""Observed state: what a host tells the server."""

import re
from typing import Any, Literal

import msgspec

from workers.contract.state import Kind, Struct

VERSION = re.compile(r"[0-9A-Za-z.+-]{1,32}")

PORT_TAKEN, SYSCTL_REFUSED = CODES = ("port_taken", "sysctl_refused")
"""Words of failures that no other try by the host itself will mend; as in docs/errors.md."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one row."""

    kind: Kind
    id: str
    revision: int
    state: Literal["applied", "gone", "failed"]
    message: str = ""
    """For `failed`: one sentence for the person who asked for it."""
    code: str = ""
    """For `failed`: a word for programs where trying again alone does not help: one of CODES."""


class Exit(Struct, frozen=True, kw_only=True):
    """The process of a container ended by itself or on request."""

    container: str
    incarnation: int
    code: int
    """As a shell counts: 0–255, 128 + n for signal n."""
    message: str = ""
    """Why it never began, when it could not."""


class Restart(Struct, frozen=True, kw_only=True):
    """The process of a container has ended, and its host begins it again by itself; told at both."""

    container: str
    incarnation: int
    count: int
    """How often it was, or is about to be."""
    running: bool
    """It runs again; else it is waited until it may."""
    code: int
    """How it ended; as `Exit` has it, like the message."""
    message: str = ""
    at: float = 0.0
    """When it began again, or had ended, in seconds since 1970; 0: just now."""


class Facts(Struct, frozen=True, kw_only=True):
    """The host as it is, apart from what is ours."""

    version: str
    """Of netadmin on the host."""
    kernel: str
    routes: tuple[str, ...] = ()
    """CIDRs of on-link destinations of devices that are not ours."""
    nameservers: tuple[str, ...] = ()
    underlays: dict[str, int] = {}
    """The host's own addresses on devices that are not ours, each with the MTU of its device: ends of tunnels."""


class Drift(Struct, frozen=True, kw_only=True):
    """Something of ours that something else had changed, and that was put right."""

    text: str
    """A sentence for a person: what it was."""
    since: float
    """Since when it was wrong, in seconds since 1970."""
    seconds: float
    """How long it was wrong …"""
    noticed: bool
    """… by the kernel's own word; else it was found by a look, and was right at the one before: `seconds` at most."""


class Look(Struct, frozen=True, kw_only=True):
    """What a full look at the host found: everything of ours is observed, and what differs is mended."""

    at: float
    """When, in seconds since 1970."""
    took_ms: float
    objects: dict[str, int]
    """How many objects of each kind the host has: sandbox, bridge, port, element, remote …"""
    mended: tuple[Drift, ...] = ()
    """What something else had changed; at most DRIFT of them."""
    restarts: tuple[Restart, ...] = ()
    """How those processes are that were begun again by themselves: what was told of it before may have been lost."""


DRIFT = 20


class Timing(Struct, frozen=True, kw_only=True):
    """How often something took how long, since its process began."""

    bounds: tuple[float, ...]
    """Upper ends of the buckets, in seconds, ascending."""
    counts: tuple[int, ...]
    """Of each bucket by itself, and at last of what took longer than all."""
    total: float
    """Seconds, of all together."""


class Counts(Struct, frozen=True, kw_only=True):
    """What a host has counted since its processes began; the server shows it to whoever watches."""

    waits: Timing
    """Of messages, exits and notices, from their arrival to the begin of their turn."""
    changes: Timing
    """Of making changed rows true, those that came together at once."""
    looks: Timing
    """Of full looks."""
    drift: int = 0
    """What something else had changed, and was put right."""
    operations: dict[str, int] = {}
    """By kind of object (bridge, port, element …) …"""
    failures: dict[str, int] = {}
    """… and those of them that failed."""
    names: dict[str, Timing] = {}
    """Questions to the name service by what became of them: local, forwarded, failed, malformed."""
    views: dict[str, int] = {}
    """Sandboxes that the name service should answer in: answering, failed."""


class Report(Struct, frozen=True, kw_only=True):
    host: str
    epoch: str
    sequence: int = 0
    """Higher in each report of a host than in the one before: one that was sent once counts once."""
    acked: int
    """Every change up to this revision was taken in; the outcome of each is told once."""
    outcomes: tuple[Outcome, ...] = ()
    exits: tuple[Exit, ...] = ()
    restarts: tuple[Restart, ...] = ()
    facts: Facts | None = None
    problems: tuple[str, ...] = ()
    took_ms: float = 0.0
    look: Look | None = None
    feeds: dict[str, int] = {}
    """By overlay network, up to which revision its peers were taken in; only those that changed since last told."""
    gaps: tuple[str, ...] = ()
    """Overlay networks of whose peers something is missing: the host asks for all since what `feeds` says."""
    counts: Counts | None = None
    request: str = ""
    """The ids of the requests that led to it, for the logs."""
    resync: bool = False
    """The host asks for everything, peers too: it remembers nothing, or another epoch."""


class Outline(Struct, frozen=True, kw_only=True):
    """What every version's reports are to tell, whatever else becomes of their shape."""

    sequence: int
    """As `Report` has it."""
    version: str = ""
    """Of the worker; empty where it cannot be found."""


class _Told(Struct, frozen=True, kw_only=True):
    sequence: int
    facts: Any = None


def read_outline(body: str) -> Outline | None:
    """Of a report in an unknown shape (JSON); None where not even that can be read."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except msgspec.DecodeError:
        return None
    version = told.facts.get("version") if isinstance(told.facts, dict) else None
    fits = isinstance(version, str) and VERSION.fullmatch(version)
    return Outline(sequence=told.sequence, version=str(version) if fits else "")
