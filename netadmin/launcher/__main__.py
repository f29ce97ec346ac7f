"""`python -m netadmin.launcher [--demo]`: the product in the foreground, until Ctrl-C."""

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

from netadmin.environment import Environment, Misconfigured
from netadmin.launcher.launcher import Failed, Launcher
from netadmin.launcher.parts import log_folder
from workers.supervision.children import NotReady


def say(line: str) -> None:
    print(line, flush=True)


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
    say(
        f"\nnetadmin on http://{f'[{address}]' if ':' in address else address}:{port}/   host {prepared['host']}"
    )
    if prepared.get("password"):
        say(f"user {prepared['user']}   password {prepared['password']}   (shown once)")
    if environment.docker_dir:
        say(f"docker -H unix://{environment.docker_dir}/{prepared['host']}.sock network ls")
    say(f"logs in {log_folder(environment)}; Ctrl-C stops everything\n")


async def run(environment: Environment, demo: bool) -> None:
    """Up, and down again at the first SIGINT or SIGTERM; the second one lets nothing take its time."""
    launcher = Launcher(environment, say)
    ended = asyncio.Event()

    def interrupt() -> None:
        if ended.is_set():
            launcher.kill()
        ended.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)

    async def come_up() -> None:
        greet(environment, await launcher.start())
        if demo:
            await launcher.play_demo()

    coming_up, interrupted = asyncio.create_task(come_up()), asyncio.create_task(ended.wait())
    try:
        await asyncio.wait([coming_up, interrupted], return_when=asyncio.FIRST_COMPLETED)
        if coming_up.done():
            coming_up.result()
        await interrupted
    finally:
        coming_up.cancel()
        await asyncio.wait([coming_up])
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
