"""The files of the project, as Git would take them up."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("apps", "netadmin", "workers", "tests", "manage.py")


@cache
def list_files() -> tuple[Path, ...]:
    """Tracked files and new ones that are not ignored; without a repository, all but what is built."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        found = [ROOT / line for line in done.stdout.splitlines()]
    else:
        built = {".venv", "build", "node_modules", "__pycache__"}
        found = [path for path in ROOT.rglob("*") if not built & set(path.relative_to(ROOT).parts)]
    return tuple(path for path in found if path.is_file())


@cache
def list_code() -> tuple[Path, ...]:
    """Python that a person writes: migrations are generated."""
    return tuple(
        path
        for path in list_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE and "migrations" not in path.parts
    )


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))
