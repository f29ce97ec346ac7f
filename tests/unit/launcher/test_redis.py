"""The private Redis, with the programs themselves."""

import asyncio
import stat
import time
from pathlib import Path

import pytest

from netadmin.launcher.redis import find_redis, make_redis_command
from workers.supervision.process import Process
from workers.supervision.readiness import answers_ping, listens


def test_the_packaged_program_serves_when_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program, path = find_redis(), tmp_path / "redis.sock"
    assert "site-packages" in program.parts

    async def scene() -> None:
        assert not await answers_ping(path)
        with (tmp_path / "log").open("wb") as log:
            process = Process(make_redis_command(program, path), stdout=log.fileno(), stderr=log.fileno())
        deadline = time.monotonic() + 15
        while not await answers_ping(path):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await process.stop(10)
        assert not await listens(path)

    asyncio.run(scene())


def test_two_programs_never_read_each_others_files(tmp_path: Path) -> None:
    folders = {
        command[command.index("--dir") + 1]
        for program in ("/usr/bin/redis-server", "/usr/bin/valkey-server", "/x/site-packages/y/valkey-server")
        for command in [make_redis_command(Path(program), tmp_path / "redis.sock")]
    }
    assert len(folders) == 3
