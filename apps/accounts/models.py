"""API tokens and certificates, with which programs sign in, and what teams are granted, and failed sign-ins."""

import hashlib
import hmac
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models


class ApiToken(models.Model):
    """`nad_<key>.<secret>`: the key finds the row; of the secret only a salted hash is kept."""

    key = models.CharField(max_length=16, unique=True, editable=False)
    salt = models.CharField(max_length=32, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=100, help_text="What it is for.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    last_used = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def fits(self, secret: str) -> bool:
        return hmac.compare_digest(self.digest, hash_secret(self.salt, secret))

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


class ClientCertificate(models.Model):
    """Who shows it to the Docker Engine API's TLS listener is its user; taken back by removing the row."""

    fingerprint = models.CharField(
        max_length=64, unique=True, editable=False, help_text="SHA-256 of the whole."
    )
    name = models.CharField(max_length=100, help_text="What it is for.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="certificates")
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """What the members of a team may change although they are no operators: one network, or all that bears a label.

    What follows from it is decided in `apps/delivery/rights.py`.
    """

    team = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="grants", help_text="A group of people."
    )
    network = models.CharField(max_length=64, blank=True, help_text="Id of a network; or else a label.")
    label = models.CharField(max_length=255, blank=True, help_text="Key of a label.")
    value = models.CharField(max_length=255, null=True, blank=True, help_text="Of the label; null: any.")
    commands = models.BooleanField(
        default=False, help_text="Members may also run commands, which are root on their host."
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["team__name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(network="") ^ models.Q(label=""), name="grant_of_a_network_or_a_label"
            ),
            models.UniqueConstraint(fields=["team", "network", "label", "value"], name="grant_once"),
            # To a database two nulls differ.
            models.UniqueConstraint(
                fields=["team", "network", "label"],
                condition=models.Q(value=None),
                name="grant_of_any_value_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} for {self.team}"

    @property
    def scope(self) -> str:
        if self.network:
            return f"network {self.network[:12]}"
        return f"label {self.label}" if self.value is None else f"label {self.label}={self.value}"


class Failure(models.Model):
    """Sign-ins that failed lately: of an account from an address, of one of the two, or of tokens from an address."""

    account = models.CharField(max_length=150, blank=True, help_text="As it was typed; empty: any.")
    address = models.CharField(max_length=50, blank=True, help_text="Empty: any.")
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_index=True, help_text="When counting began.")

    class Meta:
        ordering = ["-since", "id"]
        constraints = [models.UniqueConstraint(fields=["account", "address"], name="failures_counted_once")]

    def __str__(self) -> str:
        return " from ".join(part for part in (self.account or "any account", self.address) if part)


def hash_secret(salt: str, secret: str) -> str:
    # The secret has 256 random bits: there is nothing to guess that a slow hash would slow down.
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()
