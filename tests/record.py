"""The record of a product that runs, read where it is kept: an SQLite file or PostgreSQL."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import psycopg

from tests.product import Product

Rows = list[tuple[Any, ...]]


class Unreadable(Exception):
    """The database is away."""


class Record:
    """What both say in the same words: addresses and JSON are text."""

    def __init__(self, connection: "sqlite3.Connection | psycopg.Connection[Any]") -> None:
        self._connection = connection

    def read(self, query: str, *parameters: object) -> Rows:
        """`?` for each parameter."""
        if isinstance(self._connection, sqlite3.Connection):
            return self._connection.execute(query, parameters).fetchall()
        try:
            found = self._connection.execute(query.replace("?", "%s"), parameters).fetchall()  # type: ignore[call-overload]
        except psycopg.Error as error:
            raise Unreadable(str(error)) from error
        return [tuple(_as_text(value) for value in row) for row in found]


def _as_text(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value) if isinstance(value, IPv4Address | IPv6Address) else value


@contextmanager
def open_record(product: Product) -> Iterator[Record]:
    """Raises Unreadable."""
    url = product.settings.get("DATABASE_URL", "")
    if not url:
        with closing(sqlite3.connect(product.state_dir / "netadmin.sqlite3", timeout=20)) as database:
            yield Record(database)
        return
    try:
        connection = psycopg.connect(url, autocommit=True)
    except psycopg.Error as error:
        raise Unreadable(str(error)) from error
    with closing(connection):
        yield Record(connection)
