"""`manage.py prepare`: all that has to be in the record before the first request. Repeated, it finds nothing to do."""

import json
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.roles import ADMINISTRATOR
from apps.accounts.services import ensure_accounts
from apps.hosts.models import Host
from apps.hosts.services import advance, enrol
from apps.networks.models import Network
from apps.networks.rules import PREDEFINED, default_bridge_options
from apps.networks.services.hosts import move_host
from apps.networks.services.networks import ensure_predefined
from apps.networks.services.peers import refresh_host
from netadmin.environment import Environment
from workers.contract.joining import Configuration


class Command(BaseCommand):
    help = "Enrol this machine's host and make the predefined networks, the administrator and the worker's settings."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints {"host", "user", "password"} as JSON; the password only when it was made up just now."""
        environment: Environment = settings.ENVIRONMENT
        password = ensure_accounts(environment.admin_password)
        host, _ = enrol(environment.host_name)
        advertise = environment.advertise or (None if host.advertise else find_own_address())
        if advertise and advertise != host.advertise:
            change_advertise(host, advertise)
        for each in Host.objects.all():
            ensure_networks(each, icc=environment.bridge_icc)
        write_worker_configuration(environment, host)
        self.stdout.write(json.dumps({"host": host.name, "user": ADMINISTRATOR, "password": password}))


def ensure_networks(host: Host, *, icc: bool = True) -> None:
    """The resync tells the host of them: its worker may not have begun yet."""
    present = {network.name: network for network in Network.objects.filter(host=host, predefined=True)}
    if present.keys() == PREDEFINED.keys() and present["bridge"].options == default_bridge_options(icc):
        return
    with transaction.atomic():
        ensure_predefined(advance(host.pk), icc=icc)


def find_own_address() -> str | None:
    """The address with which this machine leaves by its default route; None without one."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Nothing is sent: to connect a datagram socket only chooses the route.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return None


def change_advertise(host: Host, advertise: str) -> None:
    with transaction.atomic():
        locked = move_host(advance(host.pk), advertise)
        # The broker may not be up yet: what the others must know, the resync tells.
        refresh_host(locked, lambda network, since: None)
    host.advertise = advertise


def write_worker_configuration(environment: Environment, host: Host) -> None:
    """What the worker of this machine's host needs to know; only its owner may read the key in it."""
    configuration = Configuration(
        host=host.name,
        key=host.key,
        epoch=host.epoch,
        redis_url=environment.channel_url,
        advertise=host.advertise or "",
        state_dir=str(environment.host_dir),
    )
    text = msgspec.json.format(msgspec.json.encode(configuration)).decode()
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
