"""`python -m netadmin.launcher [--demo]`: the product in the foreground, until Ctrl-C."""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

from netadmin.environment import Environment, Misconfigured
from netadmin.launcher import parts
from netadmin.launcher.children import Child, Keeper, NotReady


class Failed(Exception):
    """One sentence: why the product cannot run."""


def say(line: str) -> None:
    print(line, flush=True)


class Launcher:
    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._log_dir = environment.state_dir / "log"
        self._keepers: list[Keeper] = []

    async def start(self) -> dict[str, str]:
        """Start everything in its order; what `prepare` says: host, user, and a password that was just made."""
        environment = self._environment
        for folder in (self._log_dir, environment.host_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        began = time.monotonic()
        await asyncio.gather(self._start_together(parts.redis(environment)), self._migrate())
        (prepared, _) = await asyncio.gather(
            self._run(parts.management("prepare")), self._start_together(parts.host_services(environment))
        )
        await self._start_together([*parts.workers(environment), *parts.web(environment)])
        say(f"up after {time.monotonic() - began:.1f} s")
        return dict(json.loads(prepared))

    async def stop(self) -> None:
        """Whoever brings changes in goes first, the broker last."""
        groups = (("web",), ("server worker", "host worker"), ("supervisor",), ("names",), ("redis",))
        for group in groups:
            await asyncio.gather(*(keeper.stop() for keeper in self._keepers if keeper.child.name in group))

    async def _start_together(self, children: list[Child]) -> None:
        keepers = [Keeper(child, self._log_dir, say) for child in children]
        self._keepers += keepers
        await asyncio.gather(*(keeper.start() for keeper in keepers))

    async def _migrate(self) -> None:
        began = time.monotonic()
        await self._run(parts.management("migrate", "--noinput", "--verbosity=0"))
        say(f"{'database':<14} ready after {time.monotonic() - began:.1f} s")

    async def _run(self, command: list[str]) -> str:
        """A command that ends by itself; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            lines = errors.decode(errors="replace").strip().splitlines()
            log = self._log_dir / "setup.log"
            log.write_bytes(errors)
            raise Failed(f"{' '.join(command[2:])} failed: {lines[-1] if lines else 'no reason given'} (see {log})")
        return output.decode()


def lock(state_dir: Path) -> int:
    """Held as long as the process lives, so that two launchers never share a state directory."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(state_dir / "launcher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"netadmin is already running on {state_dir}; stop that one first.") from None
    return descriptor


def greet(environment: Environment, prepared: dict[str, str]) -> None:
    address, port = environment.listen_address
    say(f"\nnetadmin on http://{f'[{address}]' if ':' in address else address}:{port}/   host {prepared['host']}")
    if prepared.get("password"):
        say(f"user {prepared['user']}   password {prepared['password']}   (shown once)")
    say(f"logs in {environment.state_dir / 'log'}; Ctrl-C stops everything\n")


async def play_demo() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "netadmin.demo")
    await process.wait()


async def run(environment: Environment, demo: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    launcher = Launcher(environment)
    try:
        starting = asyncio.create_task(launcher.start())
        interrupted = asyncio.create_task(ended.wait())
        await asyncio.wait([starting, interrupted], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        greet(environment, starting.result())
        if demo:
            await play_demo()
        await interrupted
    finally:
        say("stopping …")
        await launcher.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m netadmin.launcher", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="play a scenario once everything is up")
    arguments = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise Failed("netadmin must be started as root: it makes network namespaces and firewall rules.")
        environment = Environment.read()
        held = lock(environment.state_dir)
        asyncio.run(run(environment, arguments.demo))
        os.close(held)
    except (Failed, Misconfigured, NotReady) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
