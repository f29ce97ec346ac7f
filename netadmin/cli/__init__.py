"""The command line: a client of the REST API, nothing more."""

import click

from netadmin.cli import (
    access,
    certificate,
    connectivity,
    container,
    host,
    image,
    listing,
    network,
    process,
    support,
    worker,
)
from netadmin.cli.session import make_host_option


@click.group(context_settings={"help_option_names": ["--help"]})
@click.version_option(package_name="netadmin", message="%(prog)s %(version)s")
def cli() -> None:
    """Docker's network commands for every Linux host you own."""


cli.params.append(make_host_option())
for _command in (
    network.network,
    container.run,
    container.create,
    container.start,
    container.stop,
    container.restart,
    container.rm,
    container.rename,
    listing.ps,
    listing.port,
    listing.inspect,
    process.execute,
    process.logs,
    process.top,
    process.events,
    host.host,
    image.image,
    worker.worker,
    host.plan,
    host.history,
    connectivity.check,
    connectivity.resolve,
    access.login,
    access.logout,
    access.token,
    certificate.certificate,
    access.grant,
    access.failure,
    support.support_bundle,
    access.version,
):
    cli.add_command(_command)


def main() -> None:
    """The console script `netadmin`."""
    cli(prog_name="netadmin")
