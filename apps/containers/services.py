"""What may be done to containers by themselves; what touches their networks too is in `apps.networks.services`.

The caller holds the host's lock (`hosts.services.advance`) and passes the revision it allotted.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from apps.common.errors import Conflict, Invalid
from apps.common.statements import Update, update_once
from apps.containers import ports, restarts
from apps.containers.models import Container, new_id
from apps.hosts.models import Host

# The name is also that of the namespace (a file name) and a DNS name (labels of at most 63 octets, RFC 1035).
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}\Z")
HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SYSCTL = re.compile(r"net(\.[a-zA-Z0-9_-]+){2,6}\Z")
"""As the host's worker takes it: a name is a path there."""
OF_INTERFACE = re.compile(r"net\.[a-z0-9]+\.(conf|neigh)\.(?!(all|default|lo)\.)")
"""Settings of one interface, which is made after them."""
SYSCTL_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
SYSCTLS = 256
"""Of one container, at most."""
FILES = {"dns": 8, "dns_search": 16, "dns_options": 16, "extra_hosts": 256}
"""What is for the resolv.conf and the hosts file of a container's own, and how many of each at most."""
RESOLVER_WORD = re.compile(r"[a-zA-Z0-9_.:-]{1,253}\Z")
USER = re.compile(r"[a-zA-Z0-9_.-]{1,31}(:[a-zA-Z0-9_.-]{1,31})?\Z")
LIMIT = 32 * 1024
"""Characters in one argument or environment value; the kernel refuses more than 128 KiB at exec."""


class Details(TypedDict, total=False):
    """What a container may have besides; see `models.Container`."""

    image: str
    image_name: str
    entrypoint: Sequence[str]
    terminal: bool
    open_stdin: bool
    working_dir: str
    user: str
    dns: Sequence[str]
    dns_search: Sequence[str]
    dns_options: Sequence[str]
    extra_hosts: Sequence[str]
    sysctls: Mapping[str, str]
    auto_remove: bool
    stop_signal: str
    restart_policy: str
    restart_limit: int
    given: Mapping[str, Any]


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
    **details: Unpack[Details],
) -> Container:
    """Record a container that does not run yet; without a name it gets one from its id."""
    identity = new_id()
    name = name or f"container-{identity[:12]}"
    check_name(host, name)
    hostname = hostname or (host.name if host_network else identity[:12])
    if not HOSTNAME.match(hostname):
        raise Invalid("bad_hostname", f"{hostname!r} cannot be a host name.", "hostname")
    _check_details(details, host_network=host_network)
    entrypoint = details.get("entrypoint", ())
    for text in (*entrypoint, *command, *(env or {}).values()):
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
        **details,
    )


def _check_details(details: Details, *, host_network: bool) -> None:
    """Nothing of this may hold what would mean something else in a file or path on the host."""
    check_place(details.get("image", ""), details.get("user", ""), details.get("working_dir", ""))
    for field, most in FILES.items():
        given = len(details.get(field, ()))  # type: ignore[arg-type]
        if given and host_network:
            raise Invalid(
                "host_files",
                "A container of the host network has the host's own resolv.conf and hosts file: leave "
                f"{field} out.",
                field,
            )
        if given > most:
            raise Invalid("bad_word", f"At most {most} of {field} can be given, not {given}.", field)
    for server in details.get("dns", ()):
        _check_address(server, "dns")
    _check_words((*details.get("dns_search", ()), *details.get("dns_options", ())))
    for line in details.get("extra_hosts", ()):
        name, _, address = line.partition(":")
        _check_words([name])
        if address != "host-gateway":
            _check_address(address, "extra_hosts")
    restarts.refuse_conflict(
        details.get("restart_policy", Container.Restart.NO), auto_remove=details.get("auto_remove", False)
    )
    _check_sysctls(details.get("sysctls", {}), host_network=host_network)


def _check_sysctls(sysctls: Mapping[str, str], *, host_network: bool) -> None:
    """Those of a network namespace; whether the host's kernel has one, it says at the start."""
    refusal = ""
    if sysctls and host_network:
        refusal = "A container of the host network cannot set the host's sysctls."
    elif len(sysctls) > SYSCTLS:
        refusal = f"A container sets at most {SYSCTLS} sysctls, not {len(sysctls)}."
    for name, value in sysctls.items():
        if not SYSCTL.match(name):
            refusal = f"The sysctl {name!r} is not one of a network namespace (net.…)."
        elif OF_INTERFACE.match(name):
            refusal = (
                f"The sysctl {name!r} is one of an interface; set that of all interfaces or the default."
            )
        elif not SYSCTL_VALUE.match(value):
            refusal = f"The sysctl {name!r} cannot be set to {value!r}."
    if refusal:
        raise Invalid("bad_sysctl", refusal, "sysctls")


def check_place(image: str, user: str, working_dir: str) -> None:
    """As whom and where something runs: both are an image's."""
    if not image and (user or working_dir):
        raise Invalid(
            "needs_image",
            "Without an image, processes run as root in the host's own root directory: leave user and working "
            "directory out.",
            "user" if user else "working_dir",
        )
    if user and not USER.match(user):
        raise Invalid("bad_user", f"{user!r} cannot be a user: write NAME or UID[:GROUP].", "user")
    if working_dir and (not working_dir.startswith("/") or not working_dir.isprintable()):
        raise Invalid(
            "bad_directory", f"The working directory {working_dir!r} is not an absolute path.", "working_dir"
        )


def _check_words(words: Iterable[str]) -> None:
    for word in words:
        if not RESOLVER_WORD.match(word):
            raise Invalid("bad_word", f"{word!r} cannot stand in /etc/hosts or /etc/resolv.conf.", "dns")


def _check_address(text: str, field: str) -> None:
    """An address, of a link-local one also its zone, in which the library takes any letters, line ends too."""
    _, percent, zone = text.partition("%")
    try:
        ipaddress.ip_address(text)
        fits = not percent or bool(RESOLVER_WORD.match(zone))
    except ValueError:
        fits = False
    if not fits:
        raise Invalid("bad_address", f"{text!r} is not an IP address.", field)


def refuse_removing(container: Container) -> None:
    if container.wanted == Container.Wanted.REMOVING:
        raise Conflict("being_removed", f"Container {container.name} is being removed.")


def start(container: Container, revision: int) -> None:
    """Want a fresh incarnation of the container."""
    refuse_removing(container)
    ports.allot(container)
    container.wanted, container.state = Container.Wanted.RUNNING, Container.State.STARTING
    container.incarnation += 1
    container.restart_count = 0
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


def record_applied(containers: Collection[Container], at: datetime) -> None:
    """The host has made their wanted run state true."""
    alike: dict[tuple[str, datetime | None, datetime | None], list[str]] = {}
    for container in containers:
        container.applied, container.error = True, ""
        if container.wanted == Container.Wanted.RUNNING and not container.up:
            container.state, container.started, container.finished = Container.State.RUNNING, at, None
        elif container.wanted == Container.Wanted.STOPPED and container.state != Container.State.EXITED:
            container.state, container.finished = Container.State.EXITED, at
        now = (container.state, container.started, container.finished)
        alike.setdefault(now, []).append(container.pk)
    for (state, started, finished), keys in alike.items():
        _mark_applied(tuple(keys), state, started, finished)


@update_once
def _mark_applied(
    keys: tuple[str, ...], state: str, started: datetime | None, finished: datetime | None
) -> Update[Container]:
    marks = {"applied": True, "error": "", "state": state, "started": started, "finished": finished}
    return Update(Container.objects.filter(pk__in=keys), marks)


def give_up(container: Container, revision: int, message: str, at: datetime) -> None:
    """It does not start, and is as it was before; 128 is the engine's code for what never began."""
    ran = container.started is not None
    container.wanted = Container.Wanted.STOPPED if ran else Container.Wanted.CREATED
    container.state = Container.State.EXITED if ran else Container.State.CREATED
    container.exit_code, container.exit_message = 128, message[:500]
    container.finished = at if ran else None
    touch(container, revision)


def record_exit(container: Container, code: int, message: str, at: datetime) -> None:
    """The process has ended; by itself, unless the container was being stopped."""
    container.exit_code, container.exit_message = code, message[:500]
    container.finished = at
    container.save(update_fields=["exit_code", "exit_message", "finished"])
