"""netadmin worker: this machine as a host. The commands are the worker's own; here they only have their place."""

import os
import sys

import click

from netadmin.cli.errors import Failure

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.group()
def worker() -> None:
    """Make this machine a host of a server, and run it."""


@worker.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def join(arguments: tuple[str, ...]) -> None:
    """Join a server: URL --token TOKEN [--state-dir DIR] [--no-start]."""
    _become("join", arguments)


@worker.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run the host that this machine has joined as: [--state-dir DIR] [--host NAME]."""
    _become("run", arguments)


def _become(command: str, arguments: tuple[str, ...]) -> None:
    if os.geteuid() != 0 and "--help" not in arguments:
        raise Failure(f"Only root can change this machine's network; run `sudo netadmin worker {command}`.")
    os.execv(sys.executable, [sys.executable, "-m", "workers", command, *arguments])
