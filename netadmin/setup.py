"""`python -m netadmin.setup`: `migrate` and `prepare` in one process, since loading Django is what takes the time.

Prints what `prepare` prints: one JSON object with host, user and perhaps a password.
"""

import os

import django
from django.conf import settings
from django.core.management import call_command

from workers.garbage import begin_to_load


def main() -> None:
    begin_to_load()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netadmin.settings")
    django.setup()
    # One statement of a migration takes as long as it takes: without the pool's limits.
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)
    call_command("migrate", verbosity=0, interactive=False)
    call_command("prepare")


if __name__ == "__main__":
    main()
