"""netadmin host and history."""

import os
import subprocess
import sys
from typing import Any

import click

from netadmin.cli.errors import Failure
from netadmin.cli.output import describe_age, print_json, print_plans, print_table
from netadmin.cli.session import HostCommand, RehearsedCommand, Session, for_each, with_session


@click.group()
def host() -> None:
    """Add, show and remove hosts, and clean up this one."""


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
        ("NAME", "ADDRESS", "STATE", "VERSION", "KERNEL", "LAG", "PROBLEMS"),
        [
            (
                one["name"],
                one["advertise"] or "",
                _describe_state(one),
                one["version"],
                one["kernel"],
                str(one["lag"]),
                str(len(one["problems"])),
            )
            for one in found
        ],
    )


def _describe_state(one: dict[str, Any]) -> str:
    """`online`, `offline since 5 minutes, drained` …"""
    state = str(one["state"])
    if state == "offline":
        state += f" since {describe_age(one['last_seen'])}"
    extras = [word for word in ("drained", "outdated") if one[word]]
    return ", ".join([state, *extras])


@host.command()
@click.argument("name")
@click.option("--advertise", metavar="IP", help="Its address for tunnels; overlay networks need it.")
@with_session
def add(session: Session, name: str, advertise: str | None) -> None:
    """Add a host, and print the command with which its machine joins."""
    answer = session.client.post("hosts", body={"name": name, "advertise": advertise})
    _tell_command(answer.body["join_command"], name)


@host.command()
@click.argument("name", metavar="HOST")
@with_session
def renew(session: Session, name: str) -> None:
    """Print a new command to join with; it gives the host a new key, and ends the old one."""
    _tell_command(session.client.post("hosts", name, "renew", body={}).body["join_command"], name)


def _tell_command(command: str, name: str) -> None:
    click.echo(f"Run this as root on {name}, within an hour; it works once:", err=True)
    click.echo(command)


@host.command(cls=RehearsedCommand, name="set")
@click.argument("name", metavar="HOST")
@click.option("--advertise", metavar="IP", required=True, help="Its address for tunnels.")
@with_session
def change(session: Session, name: str, advertise: str) -> None:
    """Give a host another advertise address."""
    session.client.patch("hosts", name, body={"advertise": advertise or None})
    click.echo(name)


def _post_each(session: Session, names: tuple[str, ...], action: str) -> None:
    def act(name: str) -> None:
        session.client.post("hosts", name, action, body={})
        click.echo(name)

    for_each(names, act)


@host.command(cls=RehearsedCommand)
@click.argument("names", nargs=-1, required=True, metavar="HOST...")
@with_session
def drain(session: Session, names: tuple[str, ...]) -> None:
    """Put nothing new on hosts; what is there goes on."""
    _post_each(session, names, "drain")


@host.command(cls=RehearsedCommand)
@click.argument("names", nargs=-1, required=True, metavar="HOST...")
@with_session
def undrain(session: Session, names: tuple[str, ...]) -> None:
    """Use hosts again."""
    _post_each(session, names, "undrain")


@host.command()
@click.argument("names", nargs=-1, required=True, metavar="HOST...")
@with_session
def revoke(session: Session, names: tuple[str, ...]) -> None:
    """End the keys and logins of hosts at once."""
    _post_each(session, names, "revoke")


@host.command(cls=RehearsedCommand)
@click.argument("names", nargs=-1, required=True, metavar="HOST...")
@click.option("-f", "--force", is_flag=True, help="With all that is on it.")
@with_session
def rm(session: Session, names: tuple[str, ...], force: bool) -> None:
    """Remove hosts; their machines are told to become empty."""

    def remove(name: str) -> None:
        session.client.delete("hosts", name, params=[("force", "1")] if force else [])
        click.echo(name)

    for_each(names, remove)


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


@click.command()
@click.argument("names", nargs=-1, metavar="[HOST...]")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def plan(session: Session, names: tuple[str, ...], as_json: bool) -> None:
    """Show what hosts would mend if they looked at themselves now; nothing is done."""
    asked = names or [one["name"] for one in session.client.list_all("hosts")]
    plans: list[Any] = []
    try:
        for_each(asked, lambda name: plans.append(session.client.get("hosts", name, "plan")))
    finally:
        if as_json:
            print_json(plans)
        elif plans or not asked:
            print_plans(plans)


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
