"""The Unix sockets of the Docker Engine API: who may open them, and what of others stays."""

import asyncio
import os
import socket
import stat
from pathlib import Path

from netadmin.engine import EngineSockets
from netadmin.web import open_unix


def rights(path: Path) -> tuple[int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_gid


def adjust(folder: Path, group: int | None, *names: str) -> EngineSockets:
    sockets = EngineSockets(folder, group, open_unix, lambda state: asyncio.Protocol())
    asyncio.run(sockets.adjust(set(names)))
    return sockets


def test_they_are_their_owners_alone_unless_a_group_is_named(tmp_path: Path) -> None:
    adjust(tmp_path / "alone", None, "node1")
    assert rights(tmp_path / "alone/node1.sock")[0] == 0o600
    assert rights(tmp_path / "alone")[0] == 0o700
    group = os.getgroups()[-1] if os.geteuid() else 54321
    adjust(tmp_path / "group", group, "node1")
    assert rights(tmp_path / "group/node1.sock") == (0o660, group)
    assert rights(tmp_path / "group")[0] == 0o755


def test_what_nobody_answers_on_goes_and_another_programs_socket_stays(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(tmp_path / "docker.sock"))
        theirs.listen()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "gone.sock"))
        inode = (tmp_path / "docker.sock").stat().st_ino
        adjust(tmp_path, None, "node1", "docker")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["docker.sock", "node1.sock"]
        assert (tmp_path / "docker.sock").stat().st_ino == inode
