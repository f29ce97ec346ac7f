"""`manage.py prepare`: all that has to be in the record before the first request. Repeated, it finds nothing to do."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.roles import ADMINISTRATOR
from apps.accounts.services import ensure_accounts
from apps.hosts.models import Host
from apps.hosts.services import advance, enrol
from apps.networks.models import Network
from apps.networks.rules import PREDEFINED, default_bridge_options
from apps.networks.services.networks import ensure_predefined
from netadmin.environment import Environment


class Command(BaseCommand):
    help = "Enrol this machine's host and make the predefined networks, the administrator and the worker's settings."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints {"host", "user", "password"} as JSON; the password only when it was made up just now."""
        environment: Environment = settings.ENVIRONMENT
        password = ensure_accounts(environment.admin_password)
        host, _ = enrol(environment.host_name)
        ensure_networks(host, icc=environment.bridge_icc)
        write_worker_configuration(environment, host)
        self.stdout.write(json.dumps({"host": host.name, "user": ADMINISTRATOR, "password": password}))


def ensure_networks(host: Host, *, icc: bool = True) -> None:
    """The resync tells the host of them: its worker may not have begun yet."""
    present = {network.name: network for network in Network.objects.filter(host=host, predefined=True)}
    if present.keys() == PREDEFINED.keys() and present["bridge"].options == default_bridge_options(icc):
        return
    with transaction.atomic():
        ensure_predefined(advance(host.pk), icc=icc)


def write_worker_configuration(environment: Environment, host: Host) -> None:
    """What the worker of this machine's host needs to know; only its owner may read the key in it."""
    text = json.dumps(
        {
            "host": host.name,
            "key": host.key,
            "epoch": host.epoch,
            "broker_url": environment.broker_url,
            "redis_url": environment.channel_url,
            "state_dir": str(environment.host_dir),
            "server_queue": "server",
        },
        indent=2,
    )
    path = environment.worker_configuration
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _replace(path, text)


def _replace(path: Path, text: str) -> None:
    """A reader finds the old content or the new one, never half of it; mkstemp makes it 0600."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
