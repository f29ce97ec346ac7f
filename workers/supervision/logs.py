"""Where the output of our processes goes: `<state dir>/log/<name>.log`."""

import os
from pathlib import Path

LARGEST = 5 * 1024 * 1024


def open_log(folder: Path, name: str) -> int:
    """Descriptor for appending; a file beyond 5 MiB is set aside as `<name>.log.1` first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = find_log(folder, name)
    if path.exists() and path.stat().st_size > LARGEST:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def find_log(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(' ', '-')}.log"


def read_tail(folder: Path, name: str, lines: int) -> list[str]:
    """The last lines that are not blank."""
    try:
        with find_log(folder, name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]


def explain(what: str, folder: Path, name: str) -> str:
    """`what`, where to read more, and how the log ends."""
    tail = "".join(f"\n    {line}" for line in read_tail(folder, name, 5))
    return f"{what}; its log is {find_log(folder, name)}" + (f" and ends with:{tail}" if tail else ".")
