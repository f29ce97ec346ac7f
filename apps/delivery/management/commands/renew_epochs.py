"""After the database was restored from a backup: `manage.py renew_epochs`."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.hosts.services import renew_epochs


class Command(BaseCommand):
    help = (
        "Tell every host to forget what it knows and to become what the record says; use it after a restore."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Without it the first host that knows of later changes than the restored record has the same effect."""
        renew_epochs()
        self.stdout.write("every host begins anew when it is heard next")
