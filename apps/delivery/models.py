"""Operations: every accepted change, with who asked for it and what became of it. Together they are the history."""

import uuid

from django.conf import settings
from django.db import models

from apps.hosts.models import Host


class Operation(models.Model):
    """One accepted change, and the host's answer to it."""

    class Outcome(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    actor_name = models.CharField(max_length=150, help_text="Kept when the account is gone.")
    action = models.CharField(max_length=40, help_text="network.create, endpoint.connect …")
    subject = models.CharField(max_length=40, help_text="network, container or endpoint.")
    subject_id = models.CharField(max_length=64, db_index=True)
    subject_name = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, help_text="What was asked for.")
    touched = models.JSONField(default=dict, help_text="Networks that a container joined or left by it.")
    after = models.JSONField(null=True, help_text="What the subject was then; null: gone.")
    host = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL)
    revision = models.BigIntegerField(default=0, help_text="Done when the host has applied this revision.")
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.PENDING)
    message = models.CharField(max_length=500, blank=True)
    code = models.CharField(max_length=40, blank=True, help_text="Of a failure: docs/errors.md.")
    request = models.CharField(max_length=64, blank=True, help_text="Its id, in every log that is about it.")
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["host", "outcome", "revision"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_name}"
