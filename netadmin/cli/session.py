"""What all commands share: the client, --host, `key=value` arguments, the notice of a pending change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any

import click

from netadmin.cli.client import Answer, Client, Rehearsed
from netadmin.cli.errors import Failure, report
from netadmin.cli.output import print_plans
from netadmin.cli.target import find_target


@dataclass
class Session:
    """One run of the command line; finds its server when the first request needs it."""

    host: str | None = None
    dry_run: bool = False

    @cached_property
    def client(self) -> Client:
        return Client(find_target(), self.host, dry_run=self.dry_run)


def _remember_host(context: click.Context, _: click.Parameter, value: str | None) -> None:
    # At the root even without a value: all contexts below then share this one object.
    session = context.ensure_object(Session)
    if value is not None:
        session.host = value


def make_host_option() -> click.Option:
    return click.Option(
        ["--host"],
        metavar="NAME",
        expose_value=False,
        is_eager=True,
        callback=_remember_host,
        help="The host that is meant, where names may repeat.",
    )


class HostCommand(click.Command):
    """A command that takes --host too, so that it may stand before or after the subcommand."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params.append(make_host_option())


class RehearsedCommand(click.Command):
    """A command that can say what it would do."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params.append(
            click.Option(
                ["--dry-run"],
                is_flag=True,
                expose_value=False,
                callback=_remember_dry_run,
                help="Only show what each host would do.",
            )
        )


class ChangeCommand(HostCommand, RehearsedCommand):
    """Both, as most changes."""


def _remember_dry_run(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.ensure_object(Session).dry_run = value


def with_session(function: Callable[..., None]) -> Callable[..., None]:
    """Give the command its Session as first argument."""

    def call(*arguments: Any, **options: Any) -> None:
        try:
            function(click.get_current_context().ensure_object(Session), *arguments, **options)
        except Rehearsed as rehearsed:
            print_plans(rehearsed.plans)

    return update_wrapper(call, function)


def tell_pending(answer: Answer) -> bool:
    """Whether the change still waits for its host; says so on stderr, with the operation to look for."""
    if answer.pending:
        host = answer.body.get("host") or "The host"
        operation = answer.body.get("id", "unknown")
        usual = (
            f"{host} has not answered yet; the change is recorded as operation {operation} and will be made."
        )
        click.echo(answer.body.get("message") or usual, err=True)
    return answer.pending


def changed_id(answer: Answer) -> str:
    """The id of what was made, whether the host has made it already or not."""
    pending = tell_pending(answer)
    return str(answer.body["subject_id"] if pending else answer.body["id"])


def for_each(names: Iterable[str], act: Callable[[str], None]) -> None:
    """Act on every name, going on after a failure; exit status 1 at the end if there was one."""
    failed = False
    for name in names:
        try:
            act(name)
        except Rehearsed as rehearsed:
            print_plans(rehearsed.plans)
        except Failure as failure:
            report(failure)
            failed = True
    if failed:
        raise click.exceptions.Exit(1)


def split_pairs(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`k=v` or `k` (an empty value), repeated; the last of a key wins."""
    pairs = [value.partition("=") for value in values]
    if any(not pair[0] for pair in pairs):
        raise click.BadParameter("expected KEY=VALUE.", param=parameter)
    return {pair[0]: pair[2] for pair in pairs}


def split_filters(
    keys: Iterable[str],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], list[tuple[str, str]]]:
    """A callback for --filter that knows its keys."""
    known = sorted(keys)

    def split(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
        pairs = []
        for value in values:
            key, equals, wanted = value.partition("=")
            if not equals:
                raise click.BadParameter(f"{value!r}: expected KEY=VALUE.", param=parameter)
            if key not in known:
                raise Failure(f"Invalid filter {key!r}; known ones are {', '.join(known)}.")
            pairs.append((key, wanted))
        return pairs

    return split


def check_links(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """`container[:alias]`; without an alias the container's own name."""
    links = []
    for value in values:
        container, colon, alias = value.partition(":")
        if not container or ":" in alias or (colon and not alias):
            raise click.BadParameter(f"bad format for links: {value}", param=parameter)
        links.append(f"{container}:{alias or container}")
    return links
