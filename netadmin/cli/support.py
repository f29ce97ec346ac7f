"""netadmin support-bundle: what somebody else needs to help, in one archive, without a secret."""

import io
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from netadmin.cli.client import Client
from netadmin.cli.errors import Failure
from netadmin.cli.redaction import Redactor, find_secrets, show_settings
from netadmin.cli.session import Session, with_session
from netadmin.environment import Environment, Misconfigured

LOGS = ("launcher", "web", "server-worker", "host-worker", "names", "ports", "supervisor", "redis", "setup")
"""Of our own processes. What containers print is theirs, and is left out."""
TAIL = 200_000
"""Bytes of each log, from its end."""
HISTORY = 200
ABOUT = """Made by `netadmin support-bundle` to be given to whoever helps.

versions.json  settings.json  ready.json  summary.json  hosts.json  history.json  metrics.txt  log/*
missing.txt, when something could not be had, and why

Passwords, keys, tokens, cookies and logins are left out or replaced by (secret). Names and addresses of networks,
containers and hosts are in it, and names of accounts; commands and environments of containers are not.
"""


@click.command("support-bundle")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; missing: a new file here."
)
@with_session
def support_bundle(session: Session, output: Path | None) -> None:
    """Write versions, settings, states, history and logs into one archive, without secrets."""
    path = output or Path(f"netadmin-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    try:
        state_dir = Environment.read().state_dir
    except Misconfigured as error:
        raise Failure(str(error)) from error
    variables = {**os.environ, **read_running(state_dir)}
    redactor = Redactor(find_secrets(state_dir, variables))
    parts = dict(gather(session, state_dir, variables))
    try:
        write(path, {name: redactor.clean(text) for name, text in parts.items()})
    except FileExistsError as error:
        raise Failure(f"{path} is there already; name another file with --output.") from error
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error
    if "missing.txt" in parts:
        click.echo(parts["missing.txt"], err=True, nl=False)
    click.echo(path)


def gather(session: Session, state_dir: Path, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, text) of each file; of what cannot be had, why, in missing.txt."""
    yield "README", ABOUT
    yield "versions.json", _dump(describe_versions())
    yield "settings.json", _dump(show_settings(variables))
    missing: list[str] = []
    asked: dict[str, Callable[[Client], str]] = {
        "ready.json": lambda client: client.fetch("/readyz"),
        "metrics.txt": lambda client: client.fetch("/metrics"),
        "summary.json": lambda client: _dump(client.get("summary")),
        "hosts.json": lambda client: _dump(client.list_all("hosts")),
        "history.json": lambda client: _dump(read_history(client)),
    }
    for name, ask in asked.items():
        try:
            yield name, ask(session.client)
        except Failure as failure:
            missing.append(f"{name}: {failure.format_message()}")
    logs = list(read_logs(state_dir))
    yield from logs
    if not logs:
        missing.append(f"log/*: there are none in {state_dir} that you may read.")
    if missing:
        yield "missing.txt", "".join(f"{line}\n" for line in missing)


def describe_versions() -> dict[str, Any]:
    # Here and below: no other command shall wait for what only this one needs.
    from importlib.metadata import distributions

    found = {each.metadata["Name"]: each.version for each in distributions()}
    return {
        "netadmin": found.get("netadmin", ""),
        "python": sys.version,
        "system": platform.platform(),
        "release": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "at": datetime.now(UTC).isoformat(),
        "up_seconds": round(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "packages": dict(sorted(found.items())),
    }


def read_history(client: Client) -> list[dict[str, Any]]:
    """Who changed what and what came of it; of what was asked for only its names: commands may hold secrets."""
    rows = client.get("operations", params=[("limit", str(HISTORY))])["results"]
    shown = []
    for row in rows:
        kept = {key: value for key, value in row.items() if key not in ("before", "after", "detail")}
        shown.append({**kept, "detail": sorted(row.get("detail") or {})})
    return shown


def read_logs(state_dir: Path) -> Iterator[tuple[str, str]]:
    """The ends of our processes' logs, of the server here and of hosts that this machine is."""
    for folder in (state_dir, *sorted(state_dir.glob("hosts/*"))):
        for name in LOGS:
            for path in (folder / "log" / f"{name}.log", folder / "log" / f"{name}.log.1"):
                try:
                    with path.open("rb") as file:
                        start = max(0, file.seek(0, os.SEEK_END) - TAIL)
                        file.seek(start)
                        if start:
                            # Half a line may hold half a secret, which is not seen to be one.
                            file.readline()
                        text = file.read().decode(errors="replace")
                except OSError:
                    continue
                yield f"log/{path.relative_to(state_dir)}".replace("/log/", "/"), text


def read_running(state_dir: Path) -> dict[str, str]:
    """The settings with which the processes of that state directory were started; none that one may not read."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if not {b"netadmin.launcher", b"netadmin.web", b"workers"} & set(words):
                continue
            pairs = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if variables.get("NETADMIN_STATE_DIR", "/var/lib/netadmin") == str(state_dir):
            return variables
    return {}


def write(path: Path, parts: Mapping[str, str]) -> None:
    """A tar.gz that only its owner can read; FileExistsError when there is one."""
    import tarfile

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in parts.items():
            content = text.encode()
            about = tarfile.TarInfo(f"{path.name.partition('.')[0]}/{name}")
            about.size, about.mtime, about.mode = len(content), int(time.time()), 0o600
            archive.addfile(about, io.BytesIO(content))


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
