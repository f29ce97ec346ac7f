"""Hosts: the machines on which workers build what the record says."""

import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from django.db import models

from workers import __version__

SILENT_AFTER = timedelta(seconds=25)
"""A host reports every ten seconds, whatever happens: two of them are missing then."""


def _by_number(version: str) -> list[int]:
    """1.10 after 1.9; words of a version do not count."""
    return [int(number) for number in re.findall(r"\d+", version)]


def new_key() -> str:
    return secrets.token_hex(32)


class Host(models.Model):
    """A Linux machine that runs a worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, unique=True)
    advertise = models.GenericIPAddressField(null=True, blank=True, help_text="Its end of overlay tunnels.")
    key = models.CharField(max_length=64, default=new_key, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    drained = models.BooleanField(default=False, help_text="Nothing new is put on it.")
    revoked = models.BooleanField(default=False, editable=False, help_text="Its key counts no more.")

    # Desired: counts the changes meant for this host; raised under the row's lock (see services.advance).
    revision = models.BigIntegerField(default=0, editable=False)
    epoch = models.CharField(max_length=32, editable=False, default="")

    # Observed: what the host itself reported.
    acked_revision = models.BigIntegerField(default=0, editable=False)
    sequence = models.BigIntegerField(default=0, editable=False, help_text="Of its newest report.")
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.CharField(max_length=32, blank=True, editable=False)
    kernel = models.CharField(max_length=128, blank=True, editable=False)
    routes = models.JSONField(default=list, editable=False)
    underlays = models.JSONField(default=dict, editable=False, help_text="MTU by own address.")
    nameservers = models.JSONField(default=list, editable=False)
    problems = models.JSONField(default=list, editable=False)
    unreadable = models.BooleanField(
        default=False, editable=False, help_text="Its newest report has a shape that is not known here."
    )
    look = models.JSONField(default=dict, editable=False, help_text="What its last full look found.")

    # What follows from its silence, so that each step is taken and told once.
    offline = models.BooleanField(default=False, editable=False)
    hushed = models.BooleanField(
        default=False, editable=False, help_text="Other hosts no longer answer its containers' names."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def silent(self) -> bool:
        """It was heard once, and not for a while: nobody should wait for it."""
        return self.last_seen is not None and datetime.now(UTC) - self.last_seen > SILENT_AFTER

    @property
    def heard(self) -> bool:
        """It was heard lately: what is sent to it is taken in."""
        return self.last_seen is not None and not self.silent

    @property
    def tells(self) -> bool:
        """What becomes of a change will be known when it has made it: there is something to wait for."""
        return not self.silent and not self.unreadable

    @property
    def state(self) -> str:
        """invited, online, offline or revoked."""
        if self.revoked:
            return "revoked"
        if self.last_seen is None:
            return "invited"
        return "offline" if self.silent else "online"

    @property
    def outdated(self) -> bool:
        """Its worker is of another version than the server."""
        return bool(self.version) and self.version != __version__

    @property
    def version_problem(self) -> str:
        """What follows from its worker's being of another version than the server; empty: it is not."""
        if not self.outdated:
            return ""
        older = _by_number(self.version) < _by_number(__version__)
        relation, which = ("older", "its worker") if older else ("newer", "the server")
        return (
            f"Its worker is {relation} ({self.version}) than the server ({__version__}): "
            f"what is there stays and works on; update {which}."
        )

    @property
    def all_problems(self) -> list[str]:
        """Its own, and what the server knows of it besides."""
        return [*self.problems, *filter(None, [self.version_problem])]

    @property
    def lag(self) -> int:
        """Changes that it has not taken in yet."""
        return self.revision - self.acked_revision

    @property
    def space(self) -> str:
        """Where addresses of the host's own networks must not overlap."""
        return f"host:{self.pk}"

    @property
    def underlay_mtu(self) -> int | None:
        """MTU in bytes of the device that has the advertise address, as far as the host has told."""
        return self.underlays.get(self.advertise) if self.advertise else None


class Invitation(models.Model):
    """A one-time token with which a machine becomes this host; see `services.invite`."""

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="invitation")
    key = models.CharField(max_length=16, unique=True, help_text="The part of the token that may be seen.")
    verifier = models.CharField(max_length=64, help_text="Made from the token's secret part.")
    expires = models.DateTimeField()

    def __str__(self) -> str:
        return f"invitation of {self.host}"
