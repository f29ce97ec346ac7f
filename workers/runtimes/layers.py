"""The writable layers of containers that have an image: `FOLDER/<container>/` holds what one changed of its root.

Beside it are the empty folder in which its root is mounted, and what the runtime is told (`config.json`). The root
is mounted (overlayfs) in a mount namespace that ends with what runs in it: no mount is ever left over on the host.
"""

import errno
import os
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from workers.images.places import root_of
from workers.runtimes.errors import Refusal
from workers.runtimes.namespace import MS_NODEV, mount
from workers.runtimes.protocol import check_name

_DOOMED = ".doomed-"


@dataclass(frozen=True)
class Layer:
    folder: Path
    lower: Path
    """The image's root, which is only read."""

    @property
    def root(self) -> Path:
        """Where the container's root file system is mounted, for whoever called `mount`."""
        return self.folder / "root"

    def mount(self) -> None:
        """In a mount namespace of the calling process's own. Raises OSError."""
        # Paths may hold what means something in mount options; these do not.
        lower = os.open(self.lower, os.O_PATH | os.O_DIRECTORY)
        os.chdir(self.folder)
        options = f"lowerdir=/proc/self/fd/{lower},upperdir=upper,workdir=work"
        try:
            mount("overlay", "root", "overlay", MS_NODEV, options)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise OSError(
                    error.errno,
                    f"The file system of {self.folder} cannot hold the layers of containers (overlayfs); put the "
                    "state directory on ext4, xfs, btrfs or tmpfs",
                ) from error
            raise
        finally:
            os.close(lower)


class Layers:
    def __init__(self, folder: Path, images: Path) -> None:
        """`images`: the host's image store."""
        self._folder, self._images = folder, images

    def open(self, container: str, image: str) -> Layer:
        """The container's layer, which is made if it is not there. Raises Refusal, OSError."""
        lower = root_of(self._images, check_name("image", image))
        if not lower.is_dir():
            raise Refusal(f"The image {image[:12]} is not in this host's store; import or load it again.")
        folder = self.folder(container)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(mode=0o755, exist_ok=True)
        # Of a merged root, the directory itself is the upper one's.
        (folder / "upper").chmod(lower.stat().st_mode & 0o7777)
        return Layer(folder, lower)

    def folder(self, container: str) -> Path:
        return self._folder / check_name("container", container)

    def drop(self, container: str) -> None:
        self._discard(self.folder(container))

    def sweep(self, kept: Collection[str]) -> None:
        """Drop the layers of all other containers, and what is left of dropped ones."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in kept:
                    self._discard(path)

    def _discard(self, path: Path) -> None:
        """Out of sight at once; the files go beside the supervisor, which a large tree would hold up."""
        doomed = self._folder / f"{_DOOMED}{uuid.uuid4().hex}"
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        # No longer ours to wait for: its end is collected as an orphan's.
        os.posix_spawnp("rm", ["rm", "-rf", "--", str(doomed)], os.environ)
