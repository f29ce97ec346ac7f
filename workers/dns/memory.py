"""What the name service was last told, on disk: after a restart names answer before anybody speaks to it."""

from pathlib import Path

from workers.contract.names import Entry, Holder
from workers.local import memory
from workers.local.memory import Key

__all__ = ["Key", "Memory", "key_of"]


def key_of(entry: Entry) -> Key:
    """("holder", endpoint id) or ("view", container id)."""
    return ("holder", entry.endpoint) if isinstance(entry, Holder) else ("view", entry.container)


class Memory(memory.Memory[Entry]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, Entry, key_of)
