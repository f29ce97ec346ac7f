"""What an archive of `docker save` holds: which images, of which layers. Both its layouts: `manifest.json` and OCI's.

OCI: image-spec, image-layout.md. Where an archive has both, as Docker's since version 25, `manifest.json` says it.
"""

import json
import platform
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.images.errors import ImageError

_DOCUMENT = 8 << 20
"""Bytes of a JSON document inside."""
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


def read_archive(path: Path) -> list[Packed]:
    """The images in an uncompressed archive. Raises ImageError."""
    try:
        with tarfile.open(path, "r:") as archive:
            files = _Files(path, {posixpath.normpath(member.name): member for member in archive})
        return list(_read(files))
    except (tarfile.TarError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ImageError(
            f"This is no archive of `docker save` ({error}); for a plain root file system use `import`."
        ) from error


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

    def read(self, name: str) -> bytes:
        offset, size = self.window(name)
        if size > _DOCUMENT:
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
            yield Packed(files.read(entry["Config"]), layers, tuple(entry.get("RepoTags") or ()))
    elif "index.json" in files:
        for entry in files.parse("index.json")["manifests"]:
            annotations = entry.get("annotations") or {}
            names = [annotations[key] for key in _NAMES if annotations.get(key)]
            manifest = _choose(files, entry)
            layers = tuple(files.window(_blob(layer)) for layer in manifest["layers"])
            yield Packed(files.read(_blob(manifest["config"])), layers, tuple(names[:1]))
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
