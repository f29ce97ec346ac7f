"""Services of a host that hang: a stopped process is there, and does nothing."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtimes.host import MARK, find_marked
from workers.planning.objects import Process
from workers.runtimes.client import Supervisor
from workers.supervision import children
from workers.supervision.children import Keeper
from workers.supervision.parts import services

PATIENCE = 60.0
SILENCE = 7.0
"""Seconds: longer than from one sign to the next."""


@pytest.mark.usefixtures("box")
def test_services_that_hang_are_ended_and_started_again_and_processes_of_containers_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOOK_EVERY", 0.5)
    said: list[str] = []
    keepers = [
        Keeper(replace(child, silence=SILENCE), tmp_path / "log", said.append)
        for child in services(tmp_path, "alpha", "")
    ]

    async def scene() -> None:
        await asyncio.gather(*(keeper.start() for keeper in keepers))
        supervisor = Supervisor(str(tmp_path / "supervisor.sock"), timeout=PATIENCE)
        mark = tmp_path.name
        process = Process(
            container="web",
            sandbox="box",
            hostname="web",
            incarnation=1,
            command=("sleep", "600"),
            env={MARK: mark},
            stop_timeout=0,
        )
        pid = await asyncio.to_thread(supervisor.start, process)
        before = {keeper.child.name: keeper.pid for keeper in keepers}
        for hung in before.values():
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
        async with asyncio.timeout(PATIENCE):
            while any(keeper.pid in (None, before[keeper.child.name]) for keeper in keepers):
                await asyncio.sleep(0.1)
            while not await keepers[-1].child.ready():
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(supervisor.start, process) == pid
        assert find_marked(mark) == {pid}
        await asyncio.to_thread(supervisor.shutdown, 0.0)

    async def scene_and_end() -> None:
        try:
            await scene()
        finally:
            for keeper in keepers:
                await keeper.stop()

    asyncio.run(scene_and_end())
    for name in ("names", "ports", "supervisor"):
        assert any(line.startswith(f"{name} hangs, without a sign for ") for line in said)
        log = (tmp_path / "log" / f"{name}.log").read_text()
        assert "Fatal Python error: Aborted" in log and "asyncio/runners.py" in log
