"""Workers of other versions: a copy of ours, changed as another release might be."""

import shutil
from pathlib import Path

import workers

CHANGES: dict[str, dict[str, tuple[str, str]]] = {
    # From before there were endpoints: whatever is told of one cannot be read.
    "0.0.9": {
        "contract/state.py": (
            'Kind = Literal["network", "container", "endpoint", "peer"]',
            'Kind = Literal["network", "container", "peer"]',
        )
    },
    # Tells more than is known here.
    "9.10.0": {
        "contract/reports.py": (
            "class Report(Struct, frozen=True, kw_only=True):\n    host: str",
            'class Report(Struct, frozen=True, kw_only=True):\n    novelty: tuple[str, ...] = ("x",)\n    host: str',
        ),
    },
}


def copy_workers(folder: Path, version: str) -> Path:
    """A folder from which `python -m workers` is of that version."""
    place = folder / version
    shutil.copytree(
        Path(workers.__file__).parent, place / "workers", ignore=shutil.ignore_patterns("__pycache__")
    )
    ours = f'__version__ = "{workers.__version__}"'
    for name, (old, new) in {"__init__.py": (ours, f'__version__ = "{version}"'), **CHANGES[version]}.items():
        path = place / "workers" / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))
    return place
