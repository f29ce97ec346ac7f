"""Run as a program with its own database: 20 machines show the same token at once; prints what came of it as JSON."""

import json
import os
import threading
import time
from collections import Counter

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "netadmin.settings"
django.setup()

from django.db import connection  # noqa: E402  (Django must be set up before models are imported)

from apps.common.errors import DomainError  # noqa: E402
from apps.hosts.models import Host, Invitation  # noqa: E402
from apps.hosts.services import accept, add, invite  # noqa: E402
from workers.contract.joining import Request, prove  # noqa: E402

COUNT = 20


def main() -> None:
    call_command("migrate", verbosity=0)
    token = invite(add("node2", "192.168.5.12"))
    ready = threading.Barrier(COUNT)
    keys: list[str] = []
    refusals: Counter[str] = Counter()

    def join(number: int) -> None:
        nonce, at = f"{number:032x}", time.time()
        ready.wait()
        try:
            host, _ = accept(
                Request(key=token.key, nonce=nonce, at=at, proof=prove(token.verifier, nonce, at))
            )
            keys.append(host.key)
        except DomainError as error:
            refusals[error.code] += 1
        except Exception as error:
            refusals[repr(error)] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=(number,)) for number in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "vendor": connection.vendor,
                "refusals": refusals,
                "the key is the winner's": keys == [Host.objects.get(name="node2").key],
                "invitations left": Invitation.objects.count(),
            }
        )
    )


main()
