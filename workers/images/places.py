"""Where things of the store are; for whoever only reads them."""

from pathlib import Path


def folder_of(state_dir: Path) -> Path:
    """The store of one host."""
    return state_dir / "images"


def root_of(folder: Path, id: str) -> Path:
    """An image's root file system; it need not be there."""
    return folder / id / "root"
