"""netadmin login, logout, token, grant, failure, version."""

import sys
from urllib.parse import urlsplit

import click

from netadmin.cli.client import Client
from netadmin.cli.errors import Failure
from netadmin.cli.output import print_json, print_table
from netadmin.cli.session import ChangeCommand, Session, for_each, with_session
from netadmin.cli.target import Target, check_url, find_login_file, write_login

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.argument("url")
@click.option("--token", help="A token made with `netadmin token create`; asked for when missing.")
def login(url: str, token: str | None) -> None:
    """Remember a server and a token for it."""
    address = check_url(url)
    target = Target(url=address, token=(token or _ask_token()).strip())
    person = Client(target).get("me")
    path = write_login(target)
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        click.echo("Warning: the token travels unencrypted; use https outside a trusted network.", err=True)
    click.echo(f"Signed in at {address} as {person['name']} ({person['role']}); stored in {path}.")


def _ask_token() -> str:
    """Typed unseen, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True))
    if secret := sys.stdin.readline().strip():
        return secret
    raise Failure("There is no token: give one by --token, or as a line of standard input.")


@click.command()
def logout() -> None:
    """Forget the stored login."""
    path = find_login_file()
    try:
        path.unlink()
    except FileNotFoundError:
        raise Failure("There is no stored login.") from None
    click.echo(f"Removed {path}; the token itself stays valid until `netadmin token rm`.")


@click.group()
def token() -> None:
    """Make, show and take back tokens for the REST API."""


@token.command()
@click.argument("name")
@click.option(
    "--expires",
    metavar="TIME",
    help="When it ends, as 2030-01-31T12:00:00Z, or never; missing: when the server's usual time is over.",
)
@with_session
def create(session: Session, name: str, expires: str | None) -> None:
    """Make a token and print it; it is shown only this once."""
    body: dict[str, str | None] = {"name": name}
    if expires is not None:
        body["expires"] = None if expires == "never" else expires
    click.echo(session.client.post("tokens", body=body).body["token"])


@token.command()
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ls(session: Session, as_json: bool) -> None:
    """List tokens."""
    found = session.client.list_all("tokens")
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "NAME", "EXPIRES"), [(str(one["id"]), one["name"], one["expires"] or "never") for one in found]
    )


@token.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@with_session
def rm(session: Session, ids: tuple[str, ...]) -> None:
    """Take tokens back; whoever uses them is refused at once."""

    def remove(identity: str) -> None:
        session.client.delete("tokens", identity)
        click.echo(identity)

    for_each(ids, remove)


@click.group()
def grant() -> None:
    """Let teams change some networks and containers; show that, and take it back."""


@grant.command(name="add", cls=ChangeCommand)
@click.argument("team")
@click.option("--network", metavar="NETWORK", help="This network, and containers that are on it alone.")
@click.option("--label", metavar="KEY[=VALUE]", help="Networks and containers that bear this label.")
@click.option("--commands", is_flag=True, help="Members may run commands too, which are root on their host.")
@with_session
def add_grant(session: Session, team: str, network: str | None, label: str | None, commands: bool) -> None:
    """Let the members of a team change a network, or what bears a label."""
    key, equals, value = (label or "").partition("=")
    body = {"team": team, "network": network, "label": key or None, "value": value if equals else None}
    answer = session.client.post("grants", body={**body, "commands": commands})
    click.echo(str(answer.body["id"]))


@grant.command(name="ls")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def list_grants(session: Session, as_json: bool) -> None:
    """List what teams may change."""
    found = session.client.list_all("grants")
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "TEAM", "NETWORK", "LABEL", "COMMANDS", "MEMBERS"),
        [
            (
                str(one["id"]),
                one["team"],
                (one["network_name"] or "gone") if one["network"] else "",
                one["label"] if one["value"] is None else f"{one['label']}={one['value']}",
                "yes" if one["commands"] else "no",
                ", ".join(one["members"]),
            )
            for one in found
        ],
    )


@grant.command(name="rm", cls=ChangeCommand)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@with_session
def remove_grants(session: Session, ids: tuple[str, ...]) -> None:
    """Take grants back; what was made with them stays."""

    def remove(identity: str) -> None:
        session.client.delete("grants", identity)
        click.echo(identity)

    for_each(ids, remove)


@click.group()
def failure() -> None:
    """Show who failed to sign in lately, and let them try again."""


@failure.command(name="ls")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def list_failures(session: Session, as_json: bool) -> None:
    """List failed sign-ins, by account and address."""
    found = session.client.list_all("failures")
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "ACCOUNT", "ADDRESS", "FAILED", "LOCKED"),
        [
            (
                str(one["id"]),
                one["account"] or "any",
                one["address"] or "any",
                str(one["count"]),
                "yes" if one["locked"] else "no",
            )
            for one in found
        ],
    )


@failure.command(name="rm")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@with_session
def remove_failures(session: Session, ids: tuple[str, ...]) -> None:
    """Forget failed sign-ins: whoever was locked out may try again."""

    def remove(identity: str) -> None:
        session.client.delete("failures", identity)
        click.echo(identity)

    for_each(ids, remove)


@click.command()
def version() -> None:
    """Show the version of this program."""
    from importlib.metadata import version as read_version

    click.echo(f"netadmin {read_version('netadmin')}")
