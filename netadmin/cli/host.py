"""netadmin host and history."""

import os
import subprocess
import sys
from typing import Any

import click

from netadmin.cli.errors import Failure
from netadmin.cli.output import describe_age, print_json, print_table
from netadmin.cli.session import HostCommand, Session, for_each, with_session


@click.group()
def host() -> None:
    """Show hosts, and clean up this one."""


@host.command()
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ls(session: Session, as_json: bool) -> None:
    """List hosts."""
    found = session.client.list_all("hosts")
    if as_json:
        print_json(found)
        return
    print_table(
        ("NAME", "ADDRESS", "LAST SEEN", "PROBLEMS"),
        [(one["name"], one["advertise"] or "", _seen(one), str(len(one["problems"]))) for one in found],
    )


def _seen(one: dict[str, Any]) -> str:
    age = describe_age(one["last_seen"])
    return f"{age} ago" if age else "never"


@host.command()
@click.argument("names", nargs=-1, required=True, metavar="HOST...")
@with_session
def inspect(session: Session, names: tuple[str, ...]) -> None:
    """Show hosts in full, as a JSON array."""
    found: list[Any] = []
    try:
        for_each(names, lambda name: found.append(session.client.get("hosts", name)))
    finally:
        print_json(found)


@host.command()
def purge() -> None:
    """Remove every namespace, link, rule and file of netadmin from this machine, with or without a server."""
    if os.geteuid() != 0:
        raise Failure("Only root can change this machine's network; run `sudo netadmin host purge`.")
    sys.exit(subprocess.run([sys.executable, "-m", "workers", "purge"], check=False).returncode)


@click.command(cls=HostCommand)
@click.option(
    "--limit", type=click.IntRange(min=1, max=1000), default=20, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def history(session: Session, limit: int, as_json: bool) -> None:
    """Show who changed what, newest first."""
    found = session.client.get("operations", params=[("limit", str(limit))])["results"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("WHEN", "BY", "ACTION", "SUBJECT", "HOST", "OUTCOME", "MESSAGE"),
        [
            (
                f"{describe_age(one['at'])} ago",
                one["actor"],
                one["action"],
                f"{one['subject']} {one['subject_name']}",
                one["host"] or "",
                one["outcome"],
                one["message"],
            )
            for one in found
        ],
    )
