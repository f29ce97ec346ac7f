"""What may be done to containers by themselves; what touches their networks too is in `apps.networks.services`.

The caller holds the host's lock (`hosts.services.advance`) and passes the revision it allotted.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from apps.common.errors import Conflict, Invalid
from apps.containers.models import Container, new_id
from apps.hosts.models import Host

# The name is also that of the namespace (a file name) and a DNS name (labels of at most 63 octets, RFC 1035).
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}\Z")
HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
LIMIT = 32 * 1024
"""Characters in one argument or environment value; the kernel refuses more than 128 KiB at exec."""


def check_name(host: Host, name: str) -> None:
    if not NAME.match(name):
        raise Invalid(
            "bad_name",
            f"{name!r} cannot be a container's name: use 1 to 63 letters, digits, '_', '.' or '-', "
            "beginning with a letter or digit.",
            "name",
        )
    if Container.objects.filter(host=host, name=name).exists():
        raise Conflict("name_taken", f"Host {host.name} already has a container named {name!r}.", "name")


def create(
    host: Host,
    *,
    name: str | None,
    hostname: str | None = None,
    host_network: bool = False,
    command: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    stop_timeout: float = 10.0,
) -> Container:
    """Record a container that does not run yet; without a name it gets one from its id."""
    identity = new_id()
    name = name or f"container-{identity[:12]}"
    check_name(host, name)
    hostname = hostname or (host.name if host_network else identity[:12])
    if not HOSTNAME.match(hostname):
        raise Invalid("bad_hostname", f"{hostname!r} cannot be a host name.", "hostname")
    for text in (*command, *(env or {}).values()):
        if "\0" in text or len(text) > LIMIT:
            raise Invalid(
                "bad_command", "An argument or variable holds a NUL or is longer than 32 KiB.", "command"
            )
    if command and not command[0]:
        raise Invalid("bad_command", "The command's first word is empty.", "command")
    for variable in env or {}:
        if not VARIABLE.match(variable):
            raise Invalid("bad_variable", f"{variable!r} cannot be a variable's name.", "env")
    return Container.objects.create(
        id=identity,
        host=host,
        name=name,
        hostname=hostname,
        host_network=host_network,
        command=list(command),
        env=dict(env or {}),
        labels=dict(labels or {}),
        stop_timeout=stop_timeout,
        revision=host.revision,
    )


def refuse_removing(container: Container) -> None:
    if container.wanted == Container.Wanted.REMOVING:
        raise Conflict("being_removed", f"Container {container.name} is being removed.")


def start(container: Container, revision: int) -> None:
    """Want a fresh incarnation of the container."""
    refuse_removing(container)
    container.wanted, container.state = Container.Wanted.RUNNING, Container.State.STARTING
    container.incarnation += 1
    container.exit_code, container.exit_message = None, ""
    touch(container, revision)


def stop(container: Container, revision: int, timeout: float | None = None) -> None:
    refuse_removing(container)
    container.wanted, container.state = Container.Wanted.STOPPED, Container.State.STOPPING
    if timeout is not None:
        container.stop_timeout = timeout
    touch(container, revision)


def remove(container: Container, revision: int) -> None:
    container.wanted, container.state = Container.Wanted.REMOVING, Container.State.REMOVING
    touch(container, revision)


def rename(container: Container, name: str, host: Host) -> None:
    refuse_removing(container)
    check_name(host, name)
    container.name = name
    touch(container, host.revision)


def touch(container: Container, revision: int) -> None:
    """Save, as changed by `revision`: the host has yet to apply it."""
    container.revision, container.applied, container.error = revision, False, ""
    container.save()


def record_applied(container: Container, at: datetime) -> None:
    """The host has made the wanted run state true."""
    container.applied, container.error = True, ""
    if container.wanted == Container.Wanted.RUNNING and container.state != Container.State.RUNNING:
        container.state, container.started, container.finished = Container.State.RUNNING, at, None
    elif container.wanted == Container.Wanted.STOPPED and container.state != Container.State.EXITED:
        container.state, container.finished = Container.State.EXITED, at
    container.save(update_fields=["applied", "error", "state", "started", "finished"])


def record_exit(container: Container, code: int, message: str, at: datetime) -> None:
    """The process has ended; by itself, unless the container was being stopped."""
    container.exit_code, container.exit_message = code, message[:500]
    container.finished = at
    container.save(update_fields=["exit_code", "exit_message", "finished"])
