"""Failures of the database that are nobody's mistake, as errors for a person: a full disk, a database that is away."""

import sqlite3

from django.db import InterfaceError, InternalError, OperationalError

from apps.common.errors import DomainError, Full, Unavailable

_FULL = ("SQLITE_FULL", "53100")
"""https://sqlite.org/rescode.html and https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "40P01", "55P03")
_AWAY = ("08", "25P03", "57P", "53300", "SQLITE_CANTOPEN")


def explain(error: BaseException) -> DomainError | None:
    """The error as one that may be told; None where it is no failure of the database's, or one of our own making."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return None
    code = _code(error.__cause__)
    if code.startswith(_FULL):
        return Full(
            "disk_full",
            "The disk with the server's database is full, so nothing was changed; make room on it.",
        )
    if code.startswith(_BUSY):
        return Unavailable("database_busy", "The server's database was busy for too long; try again.")
    if code.startswith(_AWAY):
        return Unavailable(
            "database_away", "The server's database cannot be reached; try again when it is back."
        )
    return None


def _code(cause: BaseException | None) -> str:
    """SQLite's name of the error, or PostgreSQL's code; that of a lost connection where the driver has none."""
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorname if hasattr(cause, "sqlite_errorname") else ""
    # psycopg may not be installed.
    if type(cause).__module__.startswith("psycopg"):
        return str(getattr(cause, "sqlstate", None) or "08")
    return ""
