"""The disk is full on which everything is kept: database, broker, what hosts remember, logs."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.kills import eventually, settle
from tests.product import Product, running_product

TEXT = "The disk with the server's database is full, so nothing was changed; make room on it."


@pytest.fixture(scope="module")
def small(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of its own, on a disk of its own; what its host keeps is on another one."""
    folder = tmp_path_factory.mktemp("small")
    disks = {folder: "64m", folder / "hosts" / "node1": "4m"}
    try:
        for disk, size in disks.items():
            disk.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
        with running_product(folder) as product:
            product.do("network create lab")
            product.do("run -d --name alice --net lab -- sleep 100000")
            product.do("run -d --name bob --net lab -- sleep 100000")
            yield product
    finally:
        subprocess.run(["umount", "-l", *map(str, reversed(disks))], check=True)


def host_folder(product: Product) -> Path:
    return product.state_dir / "hosts" / "node1"


@contextmanager
def full(*folders: Path) -> Iterator[None]:
    fillers = [folder / "filler" for folder in folders]
    try:
        for filler in fillers:
            fill(filler)
        yield
    finally:
        for filler in fillers:
            filler.unlink()


def fill(path: Path) -> None:
    """Write until not a byte has room any more."""
    for size in (1 << 20, 1 << 12, 1):
        with path.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert os.statvfs(path.parent).f_bavail == 0


def test_a_full_disk_refuses_changes_in_a_sentence_and_all_else_goes_on(small: Product) -> None:
    with full(small.state_dir, host_folder(small)):
        for step in (
            ("POST", "networks/", {"name": "more"}),
            ("POST", "containers/", {"name": "carol", "start": True}),
            ("POST", "networks/bridge/connect/", {"container": "alice"}),
            ("DELETE", "containers/bob/?force=1", None),
        ):
            status, text = small.ask(*step)
            assert (status, "disk_full" in text) == (507, True), (step, status, text)
        assert small.refuse("network create more") == f"Error: {TEXT}"
        assert TEXT in small.run("exec", "alice", "true").stderr
        # What is recorded can be read, and what is made works on.
        assert "alice" in small.do("ps") and "lab" in small.do("network ls")
        assert small.ping("alice", "bob").returncode == 0
        # The host needs no disk to mend what is damaged.
        subprocess.run(["ip", "-n", "bob", "route", "flush", "default"], check=True)
        eventually(lambda: "default" in show_routes("bob"))
    settle(small, "there is room again")
    eventually(lambda: small.run("network", "create", "more").returncode == 0)
    small.do("exec alice true")
    settle(small, "a change on a disk with room")


def show_routes(container: str) -> str:
    return subprocess.run(["ip", "-n", container, "route"], capture_output=True, text=True, check=True).stdout


def test_a_full_disk_of_the_hosts_own_keeps_no_change_from_being_made(small: Product) -> None:
    """And what the worker could not write down before it was killed, it is told anew."""
    with full(host_folder(small)):
        small.do_quietly("network create side")
        small.do_quietly("run -d --name dave --net side")
        small.do_quietly("network connect side alice")
        assert small.ping("dave", "alice").returncode == 0
        os.kill(small.find_part("host worker"), signal.SIGKILL)
    # At first it goes by what it had written; then it says how far that is, and is told the rest.
    eventually(lambda: "dave" in os.listdir("/run/netns") and small.ping("dave", "alice").returncode == 0)
    settle(small, "the worker was started anew")
