"""The product as a whole: brought up in its order, taken down in the opposite one."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from netadmin.environment import Environment
from netadmin.launcher import parts
from workers.supervision.children import Child, Keeper
from workers.supervision.logs import explain, open_log
from workers.supervision.process import Process
from workers.supervision.readiness import listens, read_json

REPORT_WITHIN = 20.0
"""Seconds that this machine's own host may take to its first report before we say that it is late."""


class Failed(Exception):
    """One sentence: why the product cannot run."""


class Launcher:
    def __init__(self, environment: Environment, say: Callable[[str], None]) -> None:
        self._environment, self._say = environment, say
        self._log_dir = parts.log_folder(environment)
        self._keepers: list[Keeper] = []

    async def start(self) -> dict[str, Any]:
        """Start everything in its order; what `prepare` says: host, user, and a password that was just made."""
        environment = self._environment
        for folder in (self._log_dir, environment.host_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._check_address()
        await self._outlive_predecessor()
        began, at = time.monotonic(), time.time()
        await self._start_together(parts.redis(environment))
        prepared, _ = await asyncio.gather(
            self._set_up(), self._start_together(parts.host_services(environment))
        )
        await self._start_together([*parts.web(environment), *parts.workers(environment)])
        await self._wait_for_report(at)
        self._say(f"up after {time.monotonic() - began:.1f} s")
        return dict(json.loads(prepared))

    async def stop(self) -> None:
        for group in parts.STOP_ORDER:
            await asyncio.gather(*(keeper.stop() for keeper in self._keepers if keeper.child.name in group))

    def kill(self) -> None:
        """Let a `stop` that waits wait no longer."""
        for keeper in self._keepers:
            keeper.kill()

    async def play_demo(self) -> None:
        """The scenario, on this terminal."""
        output, errors = sys.stdout.fileno(), sys.stderr.fileno()
        code = await self._await(Process(parts.demo(), stdout=output, stderr=errors))
        if code != 0:
            self._say("The scenario did not go through; netadmin itself stays up.")

    def _check_address(self) -> None:
        """A taken port said at once, in the words of the setting."""
        _check_free("NETADMIN_LISTEN", self._environment.listen_address)
        if self._environment.docker_address is not None:
            _check_free("NETADMIN_DOCKER_LISTEN", self._environment.docker_address)

    async def _outlive_predecessor(self) -> None:
        """The children of a launcher that was killed may still be ending, and remove their sockets as they go."""
        deadline = time.monotonic() + 30.0
        sockets = (
            self._environment.redis_socket,
            self._environment.dns_socket,
            self._environment.ports_socket,
            self._environment.supervisor_socket,
        )
        for path in sockets:
            while await listens(path):
                if time.monotonic() > deadline:
                    raise Failed(f"Another program still listens on {path}; end it first.")
                await asyncio.sleep(0.1)

    async def _start_together(self, children: list[Child]) -> None:
        keepers = [Keeper(child, self._log_dir, self._say) for child in children]
        self._keepers += keepers
        await asyncio.gather(*(keeper.start() for keeper in keepers))

    async def _set_up(self) -> str:
        began = time.monotonic()
        prepared = await self._run("setup", parts.setup())
        self._say(f"{'database':<14} ready after {time.monotonic() - began:.1f} s")
        return prepared

    async def _run(self, name: str, command: Sequence[str]) -> str:
        """A command that ends by itself; what it printed, which is kept nowhere: it may hold a password."""
        output, log = os.memfd_create(name), open_log(self._log_dir, name)
        try:
            if await self._await(Process(command, stdout=output, stderr=log)) != 0:
                raise Failed(explain(f"{name} failed", self._log_dir, name))
            return os.pread(output, os.fstat(output).st_size, 0).decode()
        finally:
            os.close(output)
            os.close(log)

    async def _await(self, process: Process) -> int:
        try:
            return await asyncio.shield(process.ended)
        finally:
            await process.stop(2.0)

    async def _wait_for_report(self, since: float) -> None:
        """The last thing to come up: worker, broker, server and record in one."""
        began = time.monotonic()
        name = self._environment.host_name
        while time.monotonic() - began < REPORT_WITHIN:
            host = await read_json(self._environment.web_socket, f"/api/v1/hosts/{name}")
            seen = host.get("last_seen") if isinstance(host, dict) else None
            if seen and datetime.fromisoformat(seen).timestamp() > since:
                self._say(f"{'host':<14} ready after {time.monotonic() - began:.1f} s")
                return
            await asyncio.sleep(0.1)
        self._say(explain(f"host {name} has not reported yet", self._log_dir, "host worker"))


def _check_free(setting: str, at: tuple[str, int]) -> None:
    address, port = at
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            shown = f"[{address}]" if ":" in address else address
            raise Failed(
                f"netadmin cannot listen on {shown}:{port} ({error.strerror}); "
                f"free it, or set {setting} to another ADDRESS:PORT."
            ) from error
