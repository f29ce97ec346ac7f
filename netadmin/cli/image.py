"""netadmin image."""

from datetime import datetime
from typing import IO, Any

import click

from netadmin.cli.output import describe_age, print_json, print_table, shorten
from netadmin.cli.session import HostCommand, Session, for_each, with_session

UNITS = ("B", "kB", "MB", "GB")
NONE = "<none>"


@click.group()
def image() -> None:
    """Keep root file systems in a host's own store."""


@image.command(cls=HostCommand, name="import")
@click.argument("file", type=click.File("rb"))
@click.argument("name", required=False, default="")
@click.option(
    "-c",
    "--change",
    "changes",
    multiple=True,
    metavar="LINE",
    help="A line of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER or WORKDIR.",
)
@click.option("-m", "--message", default="", metavar="TEXT", help="Comment of the image.")
@with_session
def import_(session: Session, file: IO[bytes], name: str, changes: tuple[str, ...], message: str) -> None:
    """Make an image of a tar with a root file system (- reads standard input), and print its id."""
    given = [("name", name), ("message", message)]
    params = [pair for pair in given if pair[1]] + [("change", line) for line in changes]
    click.echo(f"sha256:{session.client.upload('images', file=file, params=params).body['id']}")


@image.command(cls=HostCommand)
@click.argument("file", type=click.File("rb"))
@with_session
def load(session: Session, file: IO[bytes]) -> None:
    """Take in an archive of `docker save` (- reads standard input)."""
    for name in session.client.upload("images", "load", file=file).body["loaded"]:
        click.echo(f"Loaded image{' ID' if name.startswith('sha256:') else ''}: {name}")


@image.command(cls=HostCommand)
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ls(session: Session, quiet: bool, no_trunc: bool, as_json: bool) -> None:
    """List the images of a host."""
    found = session.client.get("images")
    if as_json:
        print_json(found)
    elif quiet:
        for one in found:
            click.echo(shorten(one["id"], no_trunc))
    else:
        rows = [
            _make_row(one, name, no_trunc) for one in found for name in one["names"] or [f"{NONE}:{NONE}"]
        ]
        print_table(("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"), rows)


@image.command(cls=HostCommand)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@with_session
def inspect(session: Session, names: tuple[str, ...]) -> None:
    """Show images in full, as a JSON array."""
    found: list[Any] = []
    try:
        for_each(names, lambda name: found.append(session.client.get("images", name)))
    finally:
        print_json(found)


@image.command(cls=HostCommand)
@click.argument("name")
@click.argument("new")
@with_session
def tag(session: Session, name: str, new: str) -> None:
    """Give an image one more name."""
    session.client.post("images", name, "tag", body={"name": new})


@image.command(cls=HostCommand)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("-f", "--force", is_flag=True, help="By its id, with all its names.")
@with_session
def rm(session: Session, names: tuple[str, ...], force: bool) -> None:
    """Take names away, and with the last one the image."""

    def remove(name: str) -> None:
        params = [("force", "1")] if force else []
        gone = session.client.delete("images", name, params=params).body
        for each in gone["untagged"]:
            click.echo(f"Untagged: {each}")
        for each in gone["deleted"]:
            click.echo(f"Deleted: {each}")

    for_each(names, remove)


def _make_row(one: dict[str, Any], name: str, whole: bool) -> tuple[str, ...]:
    repository, _, tag = name.rpartition(":")
    age = describe_age(_plain_time(one["document"].get("created")))
    return repository, tag, shorten(one["id"], whole), f"{age} ago" if age else "", describe_size(one["size"])


def _plain_time(text: object) -> str | None:
    """What other tools write has nanoseconds, or nothing of use."""
    try:
        return datetime.fromisoformat(str(text)).isoformat()
    except ValueError:
        return None


def describe_size(size: float) -> str:
    """Three digits and a unit, as Docker prints it."""
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g}{UNITS[unit]}"
