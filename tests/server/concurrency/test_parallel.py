import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import running_postgresql

CONNECTS = Path(__file__).with_name("parallel.py")
JOINS = CONNECTS.with_name("parallel_joins.py")
OVERLAY = CONNECTS.with_name("parallel_overlay.py")
LOCKS = CONNECTS.with_name("parallel_locks.py")
EXPECTED = sorted(f"10.9.0.{n}" for n in range(2, 52))


def run(program: Path, state_dir: Path, database_url: str = "") -> dict[str, object]:
    environment = {
        **os.environ,
        "NETADMIN_STATE_DIR": str(state_dir),
        "NETADMIN_HOST_NAME": "node1",
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "PYTHONPATH": str(program.parents[3]),
    }
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result: dict[str, object], vendor: str) -> None:
    assert result["vendor"] == vendor
    assert result["refused"] == []
    # One, then as many as may be recorded together, then the rest: a revision each.
    assert result["together"] == 3
    # Whose fault it was is told so, and all others are recorded, each alone.
    assert result["refused among others"] == [
        "address_outside_subnet",
        "already_connected",
        "already_connected",
    ]
    # The lowest free ones: none twice, none left out.
    assert result["addresses"] == EXPECTED
    assert result["recorded"] == 50
    assert result["revisions"] == [*range(1, 14)]
    assert result["of the host"] == 13
    assert (result["applied"], result["left"], result["pending"]) == (50, 0, 0)
    # All but the edges and the gateway, in one run.
    assert result["free"] == [253]


@pytest.mark.timeout(300)
def test_fifty_parallel_connects_get_fifty_addresses_on_sqlite(tmp_path: Path) -> None:
    check(run(CONNECTS, tmp_path), "sqlite")


@pytest.mark.timeout(300)
def test_fifty_parallel_connects_get_fifty_addresses_on_postgresql(tmp_path: Path) -> None:
    with running_postgresql() as url:
        check(run(CONNECTS, tmp_path, url), "postgresql")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_of_many_machines_with_one_token_a_single_one_becomes_the_host(tmp_path: Path, vendor: str) -> None:
    if vendor == "sqlite":
        result = run(JOINS, tmp_path)
    else:
        with running_postgresql() as url:
            result = run(JOINS, tmp_path, url)
    assert result == {
        "vendor": vendor,
        "refusals": {"token_unknown": 19},
        "the key is the winner's": True,
        "invitations left": 0,
    }


@pytest.mark.timeout(300)
def test_connects_to_an_overlay_from_two_hosts_at_once_get_different_addresses(tmp_path: Path) -> None:
    with running_postgresql() as url:
        result = run(OVERLAY, tmp_path, url)
    assert result == {"vendor": "postgresql", "errors": [], "addresses": 40, "different": 40}


@pytest.mark.timeout(300)
def test_a_connect_to_an_overlay_and_another_hosts_report_never_wait_for_each_other(tmp_path: Path) -> None:
    with running_postgresql() as url:
        result = run(LOCKS, tmp_path, url)
    assert result == {
        "vendor": "postgresql",
        "errors": [],
        "met": True,
        "addresses": ["10.9.0.2", "10.9.0.4"],
        "announced": True,
    }
