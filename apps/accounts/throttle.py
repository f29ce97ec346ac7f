"""How often signing in may fail, by account and by address; kept in the database, so that a restart forgives nothing.

https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html: an account alone is locked late, since
somebody who only knows a name could otherwise lock its owner out; from one address, soon.
"""

import ipaddress
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import F

from apps.accounts.models import Failure
from apps.common.errors import TooMany

log = logging.getLogger(__name__)
WINDOW = timedelta(minutes=15)
"""Counting begins anew after it, and whoever is locked out waits for its end."""
OF_PAIR, OF_ADDRESS, OF_ACCOUNT, OF_TOKENS = 5, 30, 50, 60
TOKENS = "(token)"
"""Stands for an account where tokens are counted; no account can be called so."""


def refuse_locked(account: str, address: str) -> None:
    """TooMany when this account may not be tried from this address now, whatever the password is."""
    name = _shorten(account)
    rows = Failure.objects.filter(account__in=[name, ""], address__in=[_group(address), ""])
    for row in rows.filter(since__gt=datetime.now(UTC) - WINDOW):
        if row.count >= limit_of(row):
            minutes = int((row.since + WINDOW - datetime.now(UTC)).total_seconds() // 60) + 1
            raise TooMany(
                "locked_out",
                f"Too many sign-ins failed; try again in {minutes} minutes, or ask an administrator to unlock it.",
            )


def count_failure(account: str, address: str) -> None:
    """Remember that signing in as `account` from `address` has failed."""
    begun = datetime.now(UTC)
    Failure.objects.filter(since__lte=begun - WINDOW).delete()
    for name, place in _keys(account, address):
        row, _ = Failure.objects.get_or_create(account=name, address=place, defaults={"since": begun})
        Failure.objects.filter(pk=row.pk).update(count=F("count") + 1)
        if row.count + 1 == limit_of(row):
            log.warning(
                "too many failed sign-ins: %s is locked out for %d minutes", row, WINDOW.seconds // 60
            )


def forget_failures(account: str, address: str) -> None:
    """The right password was given: what went before were slips of its owner."""
    Failure.objects.filter(account=_shorten(account), address=_group(address)).delete()


def refuse_bad_token(address: str) -> None:
    """Count a token that opens nothing; TooMany when there were too many of them. Good ones are never held up."""
    rows = Failure.objects.filter(account=TOKENS, address=_group(address))
    row = rows.filter(since__gt=datetime.now(UTC) - WINDOW).first()
    if row is None or row.count < OF_TOKENS:
        count_failure(TOKENS, address)
        return
    raise TooMany("locked_out", "Too many unknown tokens came from there; try again in some minutes.")


def limit_of(row: Failure) -> int:
    if row.account == TOKENS:
        return OF_TOKENS
    if not row.account:
        return OF_ADDRESS
    return OF_PAIR if row.address else OF_ACCOUNT


def _keys(account: str, address: str) -> Iterator[tuple[str, str]]:
    name, place = _shorten(account), _group(address)
    yield name, place
    if account != TOKENS:
        yield name, ""
        yield "", place


def _shorten(account: str) -> str:
    return account.lower()[:150]


def _group(address: str) -> str:
    """Of IPv6 whoever has one address has the whole /64. What comes over a Unix socket has none."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "local"
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))
