"""API tokens: how programs and far command lines sign in."""

import hashlib
import hmac
from datetime import datetime

from django.conf import settings
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


def hash_secret(salt: str, secret: str) -> str:
    # The secret has 256 random bits: there is nothing to guess that a slow hash would slow down.
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()
