"""Questions about the images of this host: `workers.contract.questions`."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.images.errors import ImageError
from workers.images.store import Image, Store, Use
from workers.images.transfer import Source

_incoming = threading.Lock()
KINDS = ("list_images", "find_image", "import_image", "load_images", "tag_image", "remove_image")


def answer(kind: str, arguments: dict[str, Any], store: Store, source: Source) -> dict[str, Any]:
    """Raises ImageError, OSError, redis.RedisError."""
    match kind:
        case "list_images":
            return {"images": [_describe(image) for image in store.list_all()]}
        case "find_image":
            return {"image": _describe(store.find(**arguments))}
        case "tag_image":
            return {"image": _describe(store.tag(**arguments))}
        case "remove_image":
            uses = [Use(**use) for use in arguments.pop("uses")]
            return {"removed": [tuple(each) for each in store.remove(uses=uses, **arguments)]}
        case "import_image":
            with _received(store, source, arguments.pop("transfer")) as archive:
                return {"image": _describe(store.take_root(archive, **arguments))}
        case _:
            with _received(store, source, arguments.pop("transfer")) as archive:
                loaded = store.load(archive)
            return {"loaded": [name for image, names in loaded for name in names or [f"sha256:{image.id}"]]}


@contextlib.contextmanager
def _received(store: Store, source: Source, transfer: str) -> Iterator[Path]:
    """The archive of a transfer, for as long as it is needed; one at a time, so that disk and Redis are not flooded."""
    if not _incoming.acquire(blocking=False):
        raise ImageError("This host is taking in another image; try again when that is done.", 409)
    path = store.incoming()
    try:
        source.receive(transfer, path)
        yield path
    finally:
        path.unlink(missing_ok=True)
        _incoming.release()


def _describe(image: Image) -> dict[str, Any]:
    return image._asdict()
