"""The store: `FOLDER/<id>/` holds `document.json` and `root/`, `FOLDER/names.json` says what they are called.

An image's layers are unpacked into one root: two images share nothing on disk, and starting one mounts one layer.
Whoever changes the store holds its lock; an image is complete when its folder has its name. Ids are those of Docker:
the SHA-256 of the image's JSON.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from workers.images import apart
from workers.images.archive import Window, architecture, open_archive
from workers.images.changes import read_changes
from workers.images.documents import read_document
from workers.images.errors import ImageError
from workers.images.names import complete, digits_of
from workers.images.unpack import MOST_BYTES

_PATIENCE = 3600.0
"""Seconds that an archive may take to come in."""


class Image(NamedTuple):
    id: str
    names: list[str]
    size: int
    document: dict[str, Any]


class Removal(NamedTuple):
    kind: str
    """Untagged or Deleted."""
    what: str


class Use(NamedTuple):
    """A container that needs an image."""

    container: str
    image: str
    running: bool


class Store:
    """All methods raise ImageError, and OSError where the disk fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_all(self) -> list[Image]:
        """The newest first."""
        names = self._names()
        found = []
        for path in self._folder.glob("[0-9a-f]" * 64):
            # One that is damaged hides no other.
            with contextlib.suppress(ImageError):
                found.append(self._read(path.name, names))
        return sorted(found, key=lambda image: str(image.document.get("created", "")), reverse=True)

    def find(self, name: str) -> Image:
        """By name, id, or the unique beginning of an id."""
        names = self._names()
        with contextlib.suppress(ImageError):
            if (id := names.get(complete(name))) is not None:
                return self._read(id, names)
        if digits := digits_of(name):
            found = [path.name for path in self._folder.glob(f"{digits}*") if len(path.name) == 64]
            if len(found) > 1:
                raise ImageError(f"{name} is the beginning of several images' ids; give more digits.", 400)
            if found:
                return self._read(found[0], names)
        try:
            name = complete(name)
        except ImageError:
            if digits is None:
                raise
        raise ImageError(f"No such image: {name}", 404)

    def take_root(self, archive: Path, name: str, changes: Sequence[str], message: str) -> Image:
        """Make an image of one tar with a root file system, as `docker import` does."""
        name = complete(name) if name else ""
        config = read_changes(changes)
        with self._locked(), self._draft() as draft:
            unpacked = _unpack(archive, draft, [(0, archive.stat().st_size)])
            created = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            comment = message or "Imported from -"
            document = {
                "architecture": architecture(),
                "comment": comment,
                "config": config,
                "created": created,
                "history": [{"created": created, "comment": comment}],
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": unpacked["digests"]},
            }
            id = self._keep(draft, json.dumps(document).encode(), unpacked["size"])
            if name:
                self._save_names({**self._names(), name: id})
        return self.find(id)

    def load(self, archive: Path) -> list[tuple[Image, list[str]]]:
        """Take in the images of a `docker save` archive, each with the names that it brought."""
        plain = archive.with_suffix(".plain")
        try:
            images = open_archive(archive, plain)
            os.replace(plain, archive)
        finally:
            plain.unlink(missing_ok=True)
        loaded, budget = [], MOST_BYTES
        with self._locked():
            for packed in images:
                names = [complete(name) for name in packed.names]
                document = read_document(packed.document)
                with self._draft() as draft:
                    unpacked = _unpack(archive, draft, list(packed.layers), budget)
                    budget -= unpacked["size"]
                    if document["rootfs"]["diff_ids"] != unpacked["digests"]:
                        raise ImageError("A layer of the archive is not what its image says; save it again.")
                    id = self._keep(draft, packed.document, unpacked["size"])
                self._save_names({**self._names(), **dict.fromkeys(names, id)})
                loaded.append((self.find(id), names))
        return loaded

    def tag(self, name: str, new: str) -> Image:
        with self._locked():
            image = self.find(name)
            self._save_names({**self._names(), complete(new): image.id})
        return self.find(image.id)

    def remove(self, name: str, uses: Sequence[Use], *, force: bool) -> list[Removal]:
        """Take a name away, and with the last one, or by id, the image; as `docker rmi` does.

        An image that a container needs stays, when it is forced to go without a name.
        """
        with self._locked():
            image = self.find(name)
            digits = digits_of(name)
            by_id = name not in image.names and digits is not None and image.id.startswith(digits)
            mine = [use for use in uses if use.image == image.id]
            gone = image.names if by_id else [complete(name)]
            if by_id:
                _refuse_by_id(image, mine, force=force)
            elif not force and mine and len(image.names) == 1:
                raise ImageError(
                    f'conflict: unable to remove repository reference "{name}" (must force) - container '
                    f"{mine[0].container[:12]} is using its referenced image {image.id[:12]}",
                    409,
                )
            self._save_names({key: id for key, id in self._names().items() if key not in gone})
            untagged = [Removal("Untagged", each) for each in gone]
            if mine or len(gone) < len(image.names):
                return untagged
            # Out of sight first: what is half removed must not be found.
            doomed = self._folder / f"draft-{uuid.uuid4().hex}"
            (self._folder / image.id).rename(doomed)
            _discard(doomed)
        return [*untagged, Removal("Deleted", f"sha256:{image.id}")]

    def incoming(self) -> Path:
        """A fresh path for an archive on its way in; whoever asks removes it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f"draft-{uuid.uuid4().hex}.tar"

    def _read(self, id: str, names: dict[str, str]) -> Image:
        folder = self._folder / id
        try:
            document = read_document((folder / "document.json").read_bytes())
            size = int((folder / "size").read_text())
        except (OSError, ValueError, ImageError) as error:
            raise ImageError(f"No such image: {id[:12]} (its folder is damaged: {error})", 404) from error
        return Image(id, sorted(name for name, known in names.items() if known == id), size, document)

    def _keep(self, draft: Path, document: bytes, size: int) -> str:
        read_document(document)
        id = hashlib.sha256(document).hexdigest()
        (draft / "document.json").write_bytes(document)
        (draft / "size").write_text(str(size))
        if not (self._folder / id).exists():
            draft.rename(self._folder / id)
        return id

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """A folder for an image in the making; gone afterwards unless it became one."""
        draft = self._folder / f"draft-{uuid.uuid4().hex}"
        (draft / "root").mkdir(mode=0o755, parents=True)
        draft.chmod(0o700)
        try:
            yield draft
        finally:
            _discard(draft)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._folder / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Drop what an import left that was cut short; archives may still be coming in for an hour."""
        for path in self._folder.glob("draft-*"):
            if path.is_dir():
                _discard(path)
            elif time.time() - path.stat().st_mtime > _PATIENCE:
                path.unlink(missing_ok=True)

    def _names(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads((self._folder / "names.json").read_bytes())
        except FileNotFoundError:
            return {}
        return known

    def _save_names(self, names: dict[str, str]) -> None:
        draft = self._folder / "names.draft"
        draft.write_text(json.dumps(names, indent=1, sort_keys=True))
        os.replace(draft, self._folder / "names.json")


def _refuse_by_id(image: Image, uses: Sequence[Use], *, force: bool) -> None:
    prefix = f"conflict: unable to delete {image.id[:12]}"
    running = next((use for use in uses if use.running), None)
    if running is not None:
        raise ImageError(
            f"{prefix} (cannot be forced) - image is being used by running container {running.container[:12]}",
            409,
        )
    if force:
        return
    if len(image.names) > 1:
        raise ImageError(f"{prefix} (must be forced) - image is referenced in multiple repositories", 409)
    if uses:
        raise ImageError(
            f"{prefix} (must be forced) - image is being used by stopped container {uses[0].container[:12]}",
            409,
        )


def _unpack(archive: Path, draft: Path, windows: list[Window], budget: int = MOST_BYTES) -> dict[str, Any]:
    words = [str(draft / "root"), str(budget), *(f"{offset}:{size}" for offset, size in windows)]
    return apart.run("workers.images.unpack", words, archive)


def _discard(path: Path) -> None:
    """A folder of any depth: who recurses, as the library does, comes to an end in one of some thousand levels."""
    subprocess.run(["rm", "-rf", "--", str(path)], check=False)
