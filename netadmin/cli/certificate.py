"""netadmin certificate: with which the Docker Engine API knows its clients."""

import os
from pathlib import Path

import click

from netadmin.cli.errors import Failure
from netadmin.cli.output import print_json, print_table
from netadmin.cli.session import Session, for_each, with_session

KEY, CERTIFICATE, AUTHORITY = "key.pem", "cert.pem", "ca.pem"
"""As Docker's client looks for them in DOCKER_CERT_PATH."""


@click.group()
def certificate() -> None:
    """Make, show and take back certificates for Docker's clients."""


@certificate.command()
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--user", metavar="ACCOUNT", help="Whose it is; administrators may name others.")
@click.option("--expires", metavar="TIME", help="When it ends, as 2030-01-31T12:00:00Z.")
@with_session
def create(session: Session, name: str, folder: Path, user: str | None, expires: str | None) -> None:
    """Make a key and have it certified; key.pem, cert.pem and ca.pem are put into FOLDER.

    The key does not leave this machine.
    """
    from netadmin.certificates import make_request

    taken = [each for each in (KEY, CERTIFICATE, AUTHORITY) if (folder / each).exists()]
    if taken:
        raise Failure(f"{folder / taken[0]} is there already; name another folder.")
    key, request = make_request(name)
    body = {"name": name, "request": request.decode(), "user": user, "expires": expires}
    made = session.client.post("certificates", body=body).body
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / KEY, key)
    _write(folder / CERTIFICATE, made["certificate"].encode())
    _write(folder / AUTHORITY, made["authority"].encode())
    click.echo(str(made["id"]))


def _write(path: Path, content: bytes) -> None:
    """For its owner's eyes only."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


@certificate.command()
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ls(session: Session, as_json: bool) -> None:
    """List certificates: one's own, for administrators everybody's."""
    found = session.client.list_all("certificates")
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "NAME", "USER", "EXPIRES"),
        [(str(one["id"]), one["name"], one["user"], one["expires"]) for one in found],
    )


@certificate.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@with_session
def rm(session: Session, ids: tuple[str, ...]) -> None:
    """Take certificates back; whoever uses them is refused at once."""

    def remove(identity: str) -> None:
        session.client.delete("certificates", identity)
        click.echo(identity)

    for_each(ids, remove)
