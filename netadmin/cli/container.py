"""netadmin run, create, start, stop, restart, rm, rename."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from netadmin.cli.errors import Failure, explain_beginning
from netadmin.cli.session import (
    ChangeCommand,
    Session,
    changed_id,
    check_links,
    for_each,
    split_pairs,
    tell_pending,
    with_session,
)
from netadmin.cli.wishes import gather_networks

# Flags stop at the first argument: what follows belongs to the command.
COMMAND_SETTINGS = {"allow_interspersed_args": False}
LISTS = ("ports", "extra_hosts", "dns", "dns_search", "dns_options")
"""Parameters of the API that are sent as they were given, if they were."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def read_environment(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`K=V`, or `K` alone for the value it has here (left out when it has none)."""
    env = {}
    for value in values:
        key, equals, content = value.partition("=")
        if not key:
            raise click.BadParameter("expected KEY=VALUE.", param=parameter)
        if equals or key in os.environ:
            env[key] = content if equals else os.environ[key]
    return env


def read_sysctls(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE`."""
    sysctls = {}
    for value in values:
        name, equals, content = value.partition("=")
        if not (name and equals):
            raise click.BadParameter("expected NAME=VALUE.", param=parameter)
        sysctls[name] = content
    return sysctls


def container_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `run` and `create` share."""
    options: list[Decorator] = [
        click.argument("command", nargs=-1, type=click.UNPROCESSED),
        click.option("--name", help="Name; made up by the server when missing."),
        click.option(
            "--net", "--network", "networks", multiple=True, metavar="NETWORK", help="Repeat for several."
        ),
        click.option("--ip", "ipv4_address", metavar="IP", help="IPv4 address on the first network."),
        click.option("--ip6", "ipv6_address", metavar="IP", help="IPv6 address on the first network."),
        click.option("--mac-address", metavar="MAC", help="Hardware address on the first network."),
        click.option(
            "--link",
            "links",
            multiple=True,
            metavar="C[:ALIAS]",
            callback=check_links,
            help="Private name of another.",
        ),
        click.option(
            "--net-alias",
            "--network-alias",
            "aliases",
            multiple=True,
            metavar="NAME",
            help="Name on the network.",
        ),
        *_host_options(),
        *_image_options(),
        click.option("-h", "--hostname", metavar="NAME", help="Host name inside."),
        click.option(
            "-e", "--env", multiple=True, metavar="K[=V]", callback=read_environment, help="Environment."
        ),
        click.option(
            "--label", "labels", multiple=True, metavar="K[=V]", callback=split_pairs, help="Label."
        ),
        click.option(
            "--stop-timeout", type=float, metavar="SECONDS", help="Between the polite and the hard stop."
        ),
        click.option(
            "--restart",
            metavar="POLICY",
            help="When its process ends by itself: no, on-failure[:TIMES], always or unless-stopped.",
        ),
        click.option("-i", "--interactive", is_flag=True, expose_value=False, help="Accepted; see exec -i."),
        click.option("-t", "--tty", is_flag=True, expose_value=False, help="Accepted; see exec -t."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _host_options() -> list[Decorator]:
    """What the host does for the container."""
    return [
        click.option(
            "-p",
            "--publish",
            "ports",
            multiple=True,
            metavar="[[IP:]HOST_PORT:]PORT[/udp]",
            help="Offer a port of it, or a range, under the host's address.",
        ),
        click.option(
            "--add-host",
            "extra_hosts",
            multiple=True,
            metavar="NAME:IP",
            help="Line of its /etc/hosts; the address may be host-gateway.",
        ),
        click.option("--dns", multiple=True, metavar="IP", help="Server for names that are not ours."),
        click.option("--dns-search", multiple=True, metavar="DOMAIN", help="Search domain; '.' for none."),
        click.option(
            "--dns-option", "dns_options", multiple=True, metavar="OPTION", help="Option of resolv.conf."
        ),
        click.option(
            "--sysctl",
            "sysctls",
            multiple=True,
            metavar="NAME=VALUE",
            callback=read_sysctls,
            help="Kernel setting of its namespace, net.….",
        ),
    ]


def _image_options() -> list[Decorator]:
    """In which root the process runs, and as whom."""
    return [
        click.option("--image", metavar="IMAGE", help="Root file system of its own, from the host's store."),
        click.option("--entrypoint", metavar="WORD", help="In place of the image's; '' for none."),
        *_place_options(),
    ]


def _place_options() -> list[Decorator]:
    return [
        click.option("-u", "--user", metavar="NAME[:GROUP]", help="As whom, in a container of an image."),
        click.option(
            "-w", "--workdir", "working_dir", metavar="PATH", help="Where, in a container of an image."
        ),
    ]


def with_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `exec` shares with `run`."""
    for option in reversed(_place_options()):
        function = option(function)
    return function


def make_container(session: Session, start: bool, given: dict[str, Any]) -> str:
    """Ask for a container and return its id."""
    body: dict[str, Any] = {
        "command": list(given["command"]),
        "env": given["env"],
        "labels": given["labels"],
        "start": start,
    }
    networks = gather_networks(
        given["networks"],
        given["links"],
        given["aliases"],
        ipv4_address=given["ipv4_address"],
        ipv6_address=given["ipv6_address"],
        mac_address=given["mac_address"],
    )
    optional = {
        "name": given["name"],
        "host": session.host,
        "networks": networks,
        "hostname": given["hostname"],
        **{key: list(given[key]) or None for key in LISTS},
        "sysctls": given["sysctls"] or None,
        **{key: given[key] for key in ("image", "user", "working_dir", "stop_timeout", "restart")},
        "entrypoint": None if given["entrypoint"] is None else [given["entrypoint"]],
    }
    body.update({key: value for key, value in optional.items() if value is not None})
    return changed_id(session.client.post("containers", body=body))


@click.command(cls=ChangeCommand, context_settings=COMMAND_SETTINGS)
@container_options
@click.option("-d", "--detach", is_flag=True, help="Do not wait for the command to end.")
@with_session
def run(session: Session, detach: bool, **given: Any) -> None:
    """Make a container and start it; print its id, or what its COMMAND prints.

    Without a COMMAND and an image it is a network namespace that stays. With one and without -d, its output
    follows until it ends, and its exit status becomes that of this command.
    """
    try:
        identity = make_container(session, True, given)
    except Failure as failure:
        raise explain_beginning(failure, given["command"], bool(given["image"])) from failure
    if detach or not (given["command"] or given["image"]):
        click.echo(identity)
        return
    from netadmin.cli.stream import follow_container

    sys.exit(follow_container(session.client, identity))


@click.command(cls=ChangeCommand, context_settings=COMMAND_SETTINGS)
@container_options
@with_session
def create(session: Session, **given: Any) -> None:
    """Make a container without starting it and print its id."""
    click.echo(make_container(session, False, given))


def _act(session: Session, names: tuple[str, ...], action: str, timeout: float | None = None) -> None:
    body = {} if timeout is None else {"timeout": timeout}

    def act(name: str) -> None:
        tell_pending(session.client.post("containers", name, action, body=body, wait=timeout or 0.0))
        click.echo(name)

    for_each(names, act)


names_argument = click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
timeout_option = click.option(
    "-t", "--time", "--timeout", "timeout", type=float, metavar="SECONDS", help="Wait before the hard stop."
)


@click.command(cls=ChangeCommand)
@names_argument
@with_session
def start(session: Session, names: tuple[str, ...]) -> None:
    """Start containers."""
    _act(session, names, "start")


@click.command(cls=ChangeCommand)
@names_argument
@timeout_option
@with_session
def stop(session: Session, names: tuple[str, ...], timeout: float | None) -> None:
    """Stop containers."""
    _act(session, names, "stop", timeout)


@click.command(cls=ChangeCommand)
@names_argument
@timeout_option
@with_session
def restart(session: Session, names: tuple[str, ...], timeout: float | None) -> None:
    """Stop and start containers."""
    _act(session, names, "restart", timeout)


@click.command(cls=ChangeCommand)
@names_argument
@click.option("-f", "--force", is_flag=True, help="Running ones too.")
@with_session
def rm(session: Session, names: tuple[str, ...], force: bool) -> None:
    """Remove containers."""

    def remove(name: str) -> None:
        tell_pending(session.client.delete("containers", name, params=[("force", "1")] if force else []))
        click.echo(name)

    for_each(names, remove)


@click.command(cls=ChangeCommand)
@click.argument("old")
@click.argument("new")
@with_session
def rename(session: Session, old: str, new: str) -> None:
    """Give a container another name."""
    tell_pending(session.client.post("containers", old, "rename", body={"name": new}))
