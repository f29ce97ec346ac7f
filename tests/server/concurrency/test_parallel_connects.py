import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import running_postgresql

PROGRAM = Path(__file__).with_name("parallel.py")
EXPECTED = sorted(f"10.9.0.{n}" for n in range(2, 52))


def connect_in_parallel(state_dir: Path, database_url: str = "") -> dict[str, object]:
    environment = {
        **os.environ,
        "NETADMIN_STATE_DIR": str(state_dir),
        "NETADMIN_HOST_NAME": "node1",
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "PYTHONPATH": str(PROGRAM.parents[3]),
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result: dict[str, object], vendor: str) -> None:
    assert result["vendor"] == vendor
    assert result["errors"] == []
    # The lowest free ones: none twice, none left out.
    assert result["addresses"] == EXPECTED
    assert len(set(result["revisions"])) == 50


@pytest.mark.timeout(300)
def test_fifty_parallel_connects_get_fifty_addresses_on_sqlite(tmp_path: Path) -> None:
    check(connect_in_parallel(tmp_path), "sqlite")


@pytest.mark.timeout(300)
def test_fifty_parallel_connects_get_fifty_addresses_on_postgresql(tmp_path: Path) -> None:
    with running_postgresql() as url:
        check(connect_in_parallel(tmp_path, url), "postgresql")
