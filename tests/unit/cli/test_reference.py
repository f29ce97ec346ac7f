"""docs/cli.md against the commands as they are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from netadmin.cli import cli

PAGE = (Path(__file__).parents[3] / "docs/cli.md").read_text()
SECTIONS = {
    title: text
    for title, text in re.findall(r"^## netadmin ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(walk(cli))


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert list(SECTIONS) == list(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_is_explained(path: str) -> None:
    documented = set(re.findall(r"^\| (?:`[^`]+`, )*`(--[a-z0-9-]+)", SECTIONS[path], re.MULTILINE))
    common = {"--host", "--help", "--dry-run"}
    options = {option.opts[-1] for option in COMMANDS[path].params if isinstance(option, click.Option)}
    assert documented == options - common


@pytest.mark.parametrize("path", COMMANDS)
def test_every_example_is_a_command_line_that_is_understood(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rootfs.tar.gz", "busybox.tar"):
        (tmp_path / name).touch()
    examples = re.findall(r"^\$ (?:sudo )?netadmin (.+)$", SECTIONS[path], re.MULTILINE)
    assert examples
    for example in examples:
        assert example.startswith(path)
        words = shlex.split(example)[len(path.split()) :]
        COMMANDS[path].make_context(path, words)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_explains_itself(path: str) -> None:
    assert COMMANDS[path].help
    options = [option for option in COMMANDS[path].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


READS = {
    *("network inspect", "network ls", "ps", "port", "inspect", "exec", "logs", "top", "events", "host ls"),
    *("host inspect", "image ls", "image inspect", "plan", "history", "check"),
    *("resolve", "token ls", "certificate ls", "grant ls", "failure ls", "support-bundle", "version"),
}
UNREHEARSED = {
    **dict.fromkeys(
        ("login", "logout", "host purge", "worker join", "worker run"), "this machine, not the record"
    ),
    **dict.fromkeys(
        ("token create", "token rm", "certificate create", "certificate rm"), "no host has to do with it"
    ),
    "failure rm": "no host has to do with it",
    **dict.fromkeys(("host add", "host renew", "host revoke"), "nothing on a host changes"),
    **dict.fromkeys(("image import", "image load", "image tag", "image rm"), "what is kept on a disk"),
}
"""Commands that change something without --dry-run, and why, as for the REST addresses behind them."""


def test_every_command_that_changes_what_hosts_make_has_a_dry_run() -> None:
    has = {
        path
        for path, command in COMMANDS.items()
        if any("--dry-run" in option.opts for option in command.params)
    }
    assert set(COMMANDS) - has - READS == set(UNREHEARSED)
    assert not has & (READS | set(UNREHEARSED)) and set(COMMANDS) >= READS
