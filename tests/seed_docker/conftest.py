"""The unmodified docker client, as the document has it, against the whole product in a private host."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netadmin.busybox import pack
from tests.dns.upstream import outside
from tests.docker import Docker
from tests.isolation import enter_private_host, require_root
from tests.product import Product, find_free_port
from tests.seed_docker.document import Document

OUTSIDE = "198.51.100.2"


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    require_root()
    enter_private_host()
    # An overlay is for several hosts: others must be able to reach this one.
    for command in (
        "link add outside type bridge",
        f"addr add {OUTSIDE}/24 dev outside",
        "link set outside up",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    product = Product(tmp_path_factory.mktemp("state"))
    product.settings["NETADMIN_ADVERTISE"] = OUTSIDE
    product.settings["NETADMIN_BROKER_LISTEN"] = f"{OUTSIDE}:{find_free_port()}"
    with outside(OUTSIDE, tmp_path_factory.mktemp("outside")):
        try:
            product.start()
            yield product
            product.stop()
        finally:
            product.kill_leftovers()
            product.run("host", "purge")


@pytest.fixture(scope="session")
def document(product: Product) -> Document:
    docker = Docker(product)
    docker.await_answer()
    busybox = shutil.which("busybox")
    assert busybox is not None, "Debian's busybox-static is missing"
    # As everybody would: there is no registry to pull it from.
    command = [*docker.command, "import", "--change", 'CMD ["sh"]', "-", "busybox"]
    subprocess.run(command, input=pack(Path(busybox)), check=True)
    # Where the document says `python`.
    path = f"{docker.shell['PATH']}:{Path(sys.executable).parent}"
    return Document({**docker.shell, "PATH": path})
