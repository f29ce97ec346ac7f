"""netadmin check and resolve: asked inside the containers, nothing is changed."""

import sys
from typing import Any

import click

from netadmin.cli.output import print_json
from netadmin.cli.session import HostCommand, Session, with_session


@click.command(cls=HostCommand)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--json", "as_json", is_flag=True, help="All that was measured, as JSON.")
@with_session
def check(session: Session, source: str, target: str, as_json: bool) -> None:
    """Tell whether a container reaches another, a name or an address, and if not why."""
    found = session.client.get("check", params=[("from", source), ("to", target)])
    if as_json:
        print_json(found)
    else:
        _print_path(found)
    sys.exit(0 if found["reachable"] else 1)


def _print_path(found: dict[str, Any]) -> None:
    for step in found["path"]:
        print(f"{'ok ' if step['ok'] else 'NO '} {step['step']:<9} {step['detail']}")
        if not step["ok"]:
            print(f"              {step['advice']}")


@click.command(cls=HostCommand)
@click.argument("container")
@click.argument("name")
@with_session
def resolve(session: Session, container: str, name: str) -> None:
    """Tell what a container's name service answers to a name, and by which step."""
    found = session.client.get("resolve", params=[("from", container), ("name", name)])
    if found["answers"]:
        print(f"{found['name']} is {', '.join(found['answers'])}, known by {found['step']}.")
        return
    print(found["error"] or f"{found['name']} is not known ({found['rcode']}, {found['step']}).")
    sys.exit(1)
