"""Hosts: the machines on which workers build what the record says."""

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from django.db import models

SILENT_AFTER = timedelta(seconds=30)
"""A host reports every ten seconds, whatever happens."""


def new_key() -> str:
    return secrets.token_hex(32)


class Host(models.Model):
    """A Linux machine that runs a worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, unique=True)
    advertise = models.GenericIPAddressField(null=True, blank=True, help_text="Its end of overlay tunnels.")
    key = models.CharField(max_length=64, default=new_key, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    # Desired: counts the changes meant for this host; raised under the row's lock (see services.advance).
    revision = models.BigIntegerField(default=0, editable=False)
    epoch = models.CharField(max_length=32, editable=False, default="")

    # Observed: what the host itself reported.
    acked_revision = models.BigIntegerField(default=0, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.CharField(max_length=32, blank=True, editable=False)
    kernel = models.CharField(max_length=128, blank=True, editable=False)
    routes = models.JSONField(default=list, editable=False)
    nameservers = models.JSONField(default=list, editable=False)
    problems = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def silent(self) -> bool:
        """It was heard once, and not for a while: nobody should wait for it."""
        return self.last_seen is not None and datetime.now(UTC) - self.last_seen > SILENT_AFTER

    @property
    def space(self) -> str:
        """Where addresses of the host's own networks must not overlap."""
        return f"host:{self.pk}"
