"""netadmin network: create, connect, disconnect, inspect, ls, rm, prune."""

from typing import Any

import click

from netadmin.cli.client import Params
from netadmin.cli.output import natural_key, print_json, print_table, shorten
from netadmin.cli.session import (
    ChangeCommand,
    HostCommand,
    Session,
    changed_id,
    check_links,
    for_each,
    split_filters,
    split_pairs,
    tell_pending,
    with_session,
)
from netadmin.cli.subnets import gather_subnets

OF_ONE = {"ipv4_address", "ipv6_address", "mac_address"}
"""Wishes that only one endpoint of a network can have."""
PRUNE_WARNING = "WARNING! This will remove all custom networks not used by at least one container.\nContinue?"


@click.group()
def network() -> None:
    """Make, change and show networks."""


@network.command(cls=ChangeCommand)
@click.argument("name")
@click.option("-d", "--driver", default="bridge", show_default=True, help="Kind of network.")
@click.option("--subnet", "subnets", multiple=True, metavar="CIDR", help="Address block; repeat for several.")
@click.option(
    "--gateway", "gateways", multiple=True, metavar="IP", help="Gateway of the subnet that contains it."
)
@click.option(
    "--ip-range", "ranges", multiple=True, metavar="CIDR", help="Automatic addresses come from here."
)
@click.option(
    "--aux-address", "auxiliaries", multiple=True, metavar="NAME=IP", help="Addresses never given away."
)
@click.option(
    "-o", "--opt", "options", multiple=True, metavar="K=V", callback=split_pairs, help="Driver option."
)
@click.option("--internal", is_flag=True, help="No way out of this network.")
@click.option("--ipv6", is_flag=True, help="IPv6 addresses too.")
@click.option("--label", "labels", multiple=True, metavar="K[=V]", callback=split_pairs, help="Label.")
@with_session
def create(
    session: Session,
    name: str,
    driver: str,
    subnets: tuple[str, ...],
    gateways: tuple[str, ...],
    ranges: tuple[str, ...],
    auxiliaries: tuple[str, ...],
    options: dict[str, str],
    internal: bool,
    ipv6: bool,
    labels: dict[str, str],
) -> None:
    """Make a network and print its id."""
    body: dict[str, Any] = {
        "name": name,
        "driver": driver,
        "subnets": gather_subnets(subnets, gateways, ranges, auxiliaries),
        "internal": internal,
        "enable_ipv6": ipv6,
        "options": options,
        "labels": labels,
    }
    if session.host:
        body["host"] = session.host
    click.echo(changed_id(session.client.post("networks", body=body)))


@network.command(cls=ChangeCommand)
@click.argument("network")
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
@click.option("--ip", "ipv4_address", metavar="IP", help="IPv4 address.")
@click.option("--ip6", "ipv6_address", metavar="IP", help="IPv6 address.")
@click.option(
    "--alias", "aliases", multiple=True, metavar="NAME", help="Name that everybody on the network sees."
)
@click.option(
    "--link",
    "links",
    multiple=True,
    metavar="C[:ALIAS]",
    callback=check_links,
    help="Name that only this one sees.",
)
@click.option("--gw-priority", "gateway_priority", type=int, help="The highest gives the default route.")
@click.option("--mac-address", metavar="MAC", help="Hardware address of the interface.")
@with_session
def connect(
    session: Session,
    network: str,
    containers: tuple[str, ...],
    aliases: tuple[str, ...],
    links: list[str],
    **given: Any,
) -> None:
    """Connect a container, or several at once, to a network."""
    wishes = {key: value for key, value in given.items() if value is not None}
    bodies = [{"container": each, "aliases": list(aliases), "links": links, **wishes} for each in containers]
    if len(bodies) == 1:
        tell_pending(session.client.post("networks", network, "connect", body=bodies[0]))
        return
    single = sorted(OF_ONE & wishes.keys())
    if single:
        raise click.UsageError(
            f"Several containers cannot have the same {single[0]}; connect that one alone."
        )
    tell_pending(session.client.post("endpoints", body=[{"network": network, **body} for body in bodies]))


@network.command(cls=ChangeCommand)
@click.argument("network")
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
@click.option("-f", "--force", is_flag=True, help="Even when the container is unknown or its host is stuck.")
@with_session
def disconnect(session: Session, network: str, containers: tuple[str, ...], force: bool) -> None:
    """Disconnect a container, or several at once, from a network."""

    def detach(container: str) -> None:
        body = {"container": container, "force": force}
        tell_pending(session.client.post("networks", network, "disconnect", body=body))

    if len(containers) == 1:
        detach(containers[0])
        return
    if force:
        for_each(containers, detach)
        return
    body = [{"network": network, "container": container} for container in containers]
    tell_pending(session.client.delete("endpoints", body=body))


@network.command(cls=HostCommand)
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...")
@click.option("--all", "everything", is_flag=True, help="Stopped containers too.")
@with_session
def inspect(session: Session, names: tuple[str, ...], everything: bool) -> None:
    """Show networks in full, as a JSON array."""
    params: Params = [("all", "1")] if everything else []
    found: list[Any] = []
    try:
        for_each(
            names, lambda name: found.append(session.client.get("networks", name, "inspect", params=params))
        )
    finally:
        print_json(found)


@network.command(cls=HostCommand)
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    callback=split_filters(["driver", "id", "label", "name", "type"]),
    help="driver, id, label, name or type (builtin, custom).",
)
@click.option("--json", "as_json", is_flag=True, help="All that is known, as a JSON array.")
@with_session
def ls(session: Session, quiet: bool, no_trunc: bool, filters: Params, as_json: bool) -> None:
    """List networks."""
    found = sorted(
        session.client.list_all("networks", params=filters), key=lambda net: natural_key(net["name"])
    )
    if as_json:
        print_json(found)
    elif quiet:
        for net in found:
            click.echo(shorten(net["id"], no_trunc))
    else:
        heads = ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]
        rows = [[shorten(net["id"], no_trunc), net["name"], net["driver"], net["scope"]] for net in found]
        if len({net["host"] for net in found if net["host"]}) > 1:
            heads.append("HOST")
            for row, net in zip(rows, found, strict=True):
                row.append(net["host"] or ", ".join(net["hosts"]))
        print_table(heads, rows)


@network.command(cls=ChangeCommand)
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...")
@with_session
def rm(session: Session, names: tuple[str, ...]) -> None:
    """Remove networks."""

    def remove(name: str) -> None:
        tell_pending(session.client.delete("networks", name))
        click.echo(name)

    for_each(names, remove)


@network.command(cls=ChangeCommand)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="label=K[=V]",
    callback=split_filters(["label"]),
    help="Only networks with this label.",
)
@with_session
def prune(session: Session, force: bool, filters: list[tuple[str, str]]) -> None:
    """Remove all networks that no container uses."""
    if not (force or session.dry_run) and not click.confirm(PRUNE_WARNING, err=True):
        return
    body: dict[str, Any] = {"labels": [value for _, value in filters]}
    if session.host:
        body["host"] = session.host
    answer = session.client.post("networks", "prune", body=body)
    if not tell_pending(answer) and answer.body["removed"]:
        click.echo("\n".join(["Deleted Networks:", *answer.body["removed"]]))
