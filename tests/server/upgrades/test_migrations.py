"""Migrations run forward on a database with data, and what was in it is used on."""

from pathlib import Path

import pytest

from tests.postgresql import running_postgresql
from tests.server.concurrency.test_parallel import run

PROGRAM = Path(__file__).with_name("first_record.py")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_the_first_versions_record_is_brought_up_to_date_and_used(tmp_path: Path, vendor: str) -> None:
    if vendor == "sqlite":
        result = run(PROGRAM, tmp_path)
    else:
        with running_postgresql() as url:
            result = run(PROGRAM, tmp_path, url)
    assert result == {
        "vendor": vendor,
        "told": ["container kept", "endpoint 3", "network old"],
        # The lowest free address, and behind whoever was first.
        "in order": [["kept", "10.9.0.2"], ["new", "10.9.0.3"]],
        "kept": 1,
        "labels": {"team": "a"},
        "aliases": ["web"],
        "links": [["other", "db"]],
        "token": ["script", "d"],
        "history": [["done", "keeper"]],
        "outdated": True,
    }
