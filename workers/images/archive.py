"""What an archive of `docker save` holds: which images, of which layers. Both its layouts: `manifest.json` and OCI's.

OCI: image-spec, image-layout.md. Where an archive has both, as Docker's since version 25, `manifest.json` says it.
`python -m workers.images.archive PLAIN`, a process of its own (`apart`), reads the archive on its standard input,
writes it uncompressed to PLAIN, and prints `{"images"}`.
"""

import base64
import json
import os
import platform
import posixpath
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.images import apart
from workers.images.apart import Member, Unusable
from workers.images.documents import LONGEST
from workers.images.unpack import Window as Reader
from workers.images.unpack import open_layer

MOST = 4 << 30
"""Bytes of an archive, uncompressed."""
_MEMBERS = 100_000
_IMAGES, _LAYERS, _TEXTS = 100, 500, 1000
"""Of an archive; of an image; names of an archive."""
_DOCUMENT = 8 << 20
"""Bytes of a JSON document inside."""
_BLOCK = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
Window = tuple[int, int]
"""Offset and length in the archive's file."""


def architecture() -> str:
    """This machine's, as images spell it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Packed:
    """One image of an archive."""

    document: bytes
    """Its own JSON, byte by byte: its digest is the image's id."""
    layers: tuple[Window, ...]
    """From the lowest up."""
    names: tuple[str, ...]


def open_archive(archive: Path, plain: Path) -> list[Packed]:
    """The images in an archive, which is written uncompressed to `plain`. Raises ImageError, OSError."""
    found = apart.run("workers.images.archive", [str(plain)], archive)
    return [
        Packed(
            base64.b64decode(each["document"]),
            tuple((offset, size) for offset, size in each["layers"]),
            tuple(each["names"]),
        )
        for each in found["images"]
    ]


def _inflate(source: int, plain: Path) -> None:
    layer, rest = open_layer(Reader(source, 0, os.fstat(source).st_size)), MOST
    with open(plain, "xb") as target:
        plain.chmod(0o600)
        while data := layer.read(_BLOCK):
            rest -= len(data)
            if rest < 0:
                raise Unusable(f"The archive is larger than {MOST >> 30} GiB.")
            target.write(data)


def _read_archive(path: Path) -> list[Packed]:
    """The images in an uncompressed archive. Raises whatever `apart.tell` knows."""
    members = {}
    with tarfile.open(path, "r:", tarinfo=Member) as archive:
        for member in archive:
            members[posixpath.normpath(member.name)] = member
            if len(archive.members) > _MEMBERS:  # type: ignore[attr-defined]
                raise Unusable(f"The archive holds more than {_MEMBERS} files.")
    packed: list[Packed] = []
    for each in _read(_Files(path, members)):
        packed.append(each)
        names = sum(len(one.names) for one in packed)
        if len(packed) > _IMAGES or len(each.layers) > _LAYERS or names > _TEXTS:
            raise Unusable(
                f"An archive has at most {_IMAGES} images of {_LAYERS} layers, and {_TEXTS} names."
            )
    return packed


class _Files:
    def __init__(self, path: Path, members: dict[str, tarfile.TarInfo]) -> None:
        self._path, self._members = path, members

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def window(self, name: str) -> Window:
        member = self._members[posixpath.normpath(name)]
        for _ in range(8):
            if not (member.issym() or member.islnk()):
                break
            # Older versions save a layer that is there already as a link to it.
            folder = posixpath.dirname(member.name) if member.issym() else ""
            member = self._members[posixpath.normpath(posixpath.join(folder, member.linkname))]
        if not member.isreg():
            raise ValueError(f"{name} is no file")
        return member.offset_data, member.size

    def read(self, name: str, most: int = _DOCUMENT) -> bytes:
        offset, size = self.window(name)
        if size > most:
            raise ValueError(f"{name} is too large")
        with open(self._path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def parse(self, name: str) -> Any:
        return json.loads(self.read(name))


def _read(files: _Files) -> Iterator[Packed]:
    if "manifest.json" in files:
        for entry in files.parse("manifest.json"):
            layers = tuple(files.window(name) for name in entry["Layers"] or ())
            yield Packed(files.read(entry["Config"], LONGEST), layers, tuple(entry.get("RepoTags") or ()))
    elif "index.json" in files:
        for entry in files.parse("index.json")["manifests"]:
            annotations = entry.get("annotations") or {}
            names = [annotations[key] for key in _NAMES if annotations.get(key)]
            manifest = _choose(files, entry)
            layers = tuple(files.window(_blob(layer)) for layer in manifest["layers"])
            yield Packed(files.read(_blob(manifest["config"]), LONGEST), layers, tuple(names[:1]))
    else:
        raise ValueError("it has neither manifest.json nor index.json")


def _choose(files: _Files, entry: dict[str, Any]) -> dict[str, Any]:
    """The manifest itself, or of several the one for this machine."""
    manifest: dict[str, Any] = files.parse(_blob(entry))
    if "manifests" not in manifest:
        return manifest
    for each in manifest["manifests"]:
        wanted = each.get("platform") or {}
        if wanted.get("os") == "linux" and wanted.get("architecture") == architecture():
            return _choose(files, each)
    raise ValueError(f"it has no image for linux/{architecture()}")


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, _, digits = descriptor["digest"].partition(":")
    return f"blobs/{algorithm}/{digits}"


def main() -> int:
    plain = Path(sys.argv[1])

    def work() -> dict[str, Any]:
        _inflate(0, plain)
        return {
            "images": [
                {
                    "document": base64.b64encode(each.document).decode(),
                    "layers": each.layers,
                    "names": [_text(name) for name in each.names],
                }
                for each in _read_archive(plain)
            ]
        }

    return apart.tell(work, "archive of `docker save`; for a plain root file system use `import`")


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name")
    return name


if __name__ == "__main__":
    sys.exit(main())
