"""How often signing in may fail, by account and by address; kept in the database, so that a restart forgives nothing.

https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html: an account alone is locked late, since
somebody who only knows a name could otherwise lock its owner out; from one address, soon.
"""

import ipaddress
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F

from apps.accounts.models import Failure
from apps.common.errors import TooMany

log = logging.getLogger(__name__)
WINDOW = timedelta(minutes=15)
"""Counting begins anew after it, and whoever is locked out waits for its end."""
OF_PAIR, OF_ADDRESS, OF_ACCOUNT, OF_TOKENS = 5, 30, 50, 60
TOKENS = "(token)"
"""Stands for an account where tokens are counted; no account can be called so."""


def begin_try(account: str, address: str) -> None:
    """Count signing in as `account` from `address` as failed, until `forgive_try` says otherwise.

    Before the password is looked at, which takes long: whoever tries many at once has no more of them. TooMany when
    this account may not be tried from there now, whatever the password is.
    """
    _forget_old()
    with transaction.atomic():
        for row in _rows(account, address):
            if not Failure.objects.filter(pk=row.pk, count__lt=limit_of(row)).update(count=F("count") + 1):
                raise _locked_out(row)


def end_try(account: str, address: str) -> None:
    """The password was wrong."""
    for row in _rows(account, address):
        if row.count >= limit_of(row):
            _log_locked(row)


def forgive_try(account: str, address: str) -> None:
    """The right password was given: what went before were slips of its owner."""
    name, place = _shorten(account), _group(address)
    Failure.objects.filter(account=name, address=place).delete()
    # One after the other: who locked both could wait in a circle with who begins a try.
    for of in ({"account": name, "address": ""}, {"account": "", "address": place}):
        Failure.objects.filter(**of, count__gt=0).update(count=F("count") - 1)
        Failure.objects.filter(**of, count=0).delete()


def refuse_bad_token(address: str) -> None:
    """Count a token that opens nothing; TooMany when there were too many of them. Good ones are never held up."""
    rows = Failure.objects.filter(account=TOKENS, address=_group(address))
    row = rows.filter(since__gt=datetime.now(UTC) - WINDOW).first()
    if row is None or row.count < OF_TOKENS:
        _forget_old()
        for each in _rows(TOKENS, address):
            Failure.objects.filter(pk=each.pk).update(count=F("count") + 1)
            if each.count + 1 == OF_TOKENS:
                _log_locked(each)
        return
    raise TooMany("locked_out", "Too many unknown tokens came from there; try again in some minutes.")


def limit_of(row: Failure) -> int:
    if row.account == TOKENS:
        return OF_TOKENS
    if not row.account:
        return OF_ADDRESS
    return OF_PAIR if row.address else OF_ACCOUNT


def _forget_old() -> None:
    Failure.objects.filter(since__lte=datetime.now(UTC) - WINDOW).delete()


def _locked_out(row: Failure) -> TooMany:
    minutes = int((row.since + WINDOW - datetime.now(UTC)).total_seconds() // 60) + 1
    return TooMany(
        "locked_out",
        f"Too many sign-ins failed; try again in {minutes} minutes, or ask an administrator to unlock it.",
    )


def _log_locked(row: Failure) -> None:
    log.warning("too many failed sign-ins: %s is locked out for %d minutes", row, WINDOW.seconds // 60)


def _rows(account: str, address: str) -> Iterator[Failure]:
    begun = datetime.now(UTC)
    for name, place in _keys(account, address):
        yield Failure.objects.get_or_create(account=name, address=place, defaults={"since": begun})[0]


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
