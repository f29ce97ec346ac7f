"""After the database was restored from a backup: `manage.py renew_epochs`."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.delivery.sender import send_changes
from apps.hosts.models import Host
from apps.hosts.services import renew_epoch


class Command(BaseCommand):
    help = (
        "Tell every host to forget what it knows and to become what the record says; use it after a restore."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Hosts find out by themselves only when they know of later changes than the restored record."""
        for host in Host.objects.filter(revoked=False):
            send_changes(renew_epoch(host.pk), since=0, full=True)
            self.stdout.write(f"{host.name} begins anew")
