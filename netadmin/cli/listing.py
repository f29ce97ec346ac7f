"""netadmin ps and inspect."""

from typing import Any

import click

from netadmin.cli.errors import Failure, NotFound
from netadmin.cli.output import describe_age, print_json, print_table, shorten
from netadmin.cli.session import HostCommand, Session, for_each, split_filters, with_session

COMMAND_WIDTH = 20
HEADS = ("CONTAINER ID", "NAME", "HOST", "STATUS", "COMMAND", "PORTS", "NETWORKS")


@click.command(cls=HostCommand)
@click.option("-a", "--all", "everything", is_flag=True, help="Not only running ones.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    callback=split_filters(["label", "name", "network", "status"]),
    help="label, name, network or status.",
)
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ps(
    session: Session,
    everything: bool,
    quiet: bool,
    no_trunc: bool,
    filters: list[tuple[str, str]],
    as_json: bool,
) -> None:
    """List containers."""
    params = [("state" if key == "status" else key, value) for key, value in filters]
    if not everything and all(key != "state" for key, _ in params):
        params.append(("state", "running"))
    found = session.client.list_all("containers", params=params)
    if as_json:
        print_json(found)
    elif quiet:
        for container in found:
            click.echo(shorten(container["id"], no_trunc))
    else:
        print_table(HEADS, [_make_row(container, no_trunc) for container in found])


def _make_row(container: dict[str, Any], whole: bool) -> tuple[str, ...]:
    command = " ".join(container["command"])
    if len(command) > COMMAND_WIDTH and not whole:
        command = command[: COMMAND_WIDTH - 1] + "…"
    networks = [
        f"{endpoint['network']['name']}={endpoint['ipv4_address'] or endpoint['ipv6_address'] or '-'}"
        for endpoint in container["endpoints"]
    ]
    if container["host_network"]:
        networks = ["host"]
    return (
        shorten(container["id"], whole),
        container["name"],
        container["host"],
        describe_status(container),
        f'"{command}"' if command else "",
        ", ".join(_bound(port) for port in container["ports"] if container["state"] == "running"),
        ", ".join(networks),
    )


def _bound(port: dict[str, Any]) -> str:
    """`0.0.0.0:8080->80/tcp`, or the port alone where nothing leads to it now."""
    inside = f"{port['port']}/{port['protocol']}"
    return ", ".join(f"{_address(each)}->{inside}" for each in port["bindings"]) or inside


def _address(binding: dict[str, Any]) -> str:
    address = binding["address"]
    return f"[{address}]:{binding['port']}" if ":" in address else f"{address}:{binding['port']}"


@click.command(cls=HostCommand)
@click.argument("name", metavar="CONTAINER")
@click.argument("asked", required=False, metavar="[PORT[/PROTOCOL]]")
@with_session
def port(session: Session, name: str, asked: str | None) -> None:
    """List what of the host leads to a container's published ports."""
    found = [
        (f"{each['port']}/{each['protocol']}", _address(binding))
        for each in session.client.get("containers", name)["ports"]
        for binding in each["bindings"]
    ]
    if asked is None:
        for inside, address in found:
            click.echo(f"{inside} -> {address}")
        return
    wanted = asked if "/" in asked else f"{asked}/tcp"
    addresses = [address for inside, address in found if inside == wanted]
    if not addresses:
        raise Failure(f"No public port '{wanted}' published for {name}")
    for address in addresses:
        click.echo(address)


def describe_status(container: dict[str, Any]) -> str:
    """`Up 5 minutes`, `Exited (0) 2 hours ago`, or the state with its error."""
    state = container["state"]
    if state == "running":
        return f"Up {describe_age(container['started'])}".rstrip()
    if state == "exited":
        code = container["exit_code"]
        shown = "" if code is None else f" ({code})"
        age = describe_age(container["finished"])
        return f"Exited{shown}" + (f" {age} ago" if age else "")
    error = container["error"]
    return str(state).capitalize() + (f": {error}" if error else "")


@click.command(cls=HostCommand)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--type", "kind", type=click.Choice(["container", "network"]), help="Look only among these.")
@with_session
def inspect(session: Session, names: tuple[str, ...], kind: str | None) -> None:
    """Show containers and networks in full, as a JSON array; a container wins over a network of its name."""
    places = [f"{kind}s"] if kind else ["containers", "networks"]
    found: list[Any] = []

    def look(name: str) -> None:
        for place in places:
            try:
                found.append(session.client.get(place, name, "inspect"))
                return
            except NotFound as missing:
                last = missing
        raise last if kind else Failure(f"No such object: {name}")

    try:
        for_each(names, look)
    finally:
        print_json(found)
