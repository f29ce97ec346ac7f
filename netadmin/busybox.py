"""An image to make containers from: busybox, packed from a static one as Debian's busybox-static has it."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

ACCOUNTS = {"passwd": b"root:x:0:0:root:/root:/bin/sh\n", "group": b"root:x:0:\n"}
FOLDERS = ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var")


def find() -> Path | None:
    """This machine's."""
    found = shutil.which("busybox")
    return Path(found) if found else None


def pack(program: Path) -> bytes:
    """A root file system with a static busybox and its commands, as `image import` and `docker import` take it."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        archive.add(program, "bin/busybox")
        for name, line in ACCOUNTS.items():
            entry = tarfile.TarInfo(f"etc/{name}")
            entry.size = len(line)
            archive.addfile(entry, io.BytesIO(line))
        for command in listed:
            if command != "busybox":
                link = tarfile.TarInfo(f"bin/{command}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
    return packed.getvalue()
