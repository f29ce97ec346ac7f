"""Images as the engine shows them."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from apps.delivery.images import Image
from apps.docker_api.system import architecture
from apps.hosts.models import Host

HOST = "host"
HOST_ID = f"sha256:{hashlib.sha256(b'the root directory of a netadmin host').hexdigest()}"
_NEVER = "0001-01-01T00:00:00Z"


def with_tag(name: str) -> str:
    """As people write it: newer clients put the registry before it that they would ask."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def summarise(image: Image, names: tuple[str, ...], used: int) -> dict[str, Any]:
    return {
        "Id": f"sha256:{image.id}",
        "ParentId": "",
        "RepoTags": list(names),
        "RepoDigests": [],
        "Created": int(created(image.document.get("created"))),
        "Size": image.size,
        "SharedSize": -1,
        "Labels": image.config.get("Labels") or None,
        "Containers": used,
    }


def summarise_host(host: Host, used: int) -> dict[str, Any]:
    return {
        "Id": HOST_ID,
        "ParentId": "",
        "RepoTags": [f"{HOST}:latest"],
        "RepoDigests": [],
        "Created": int(host.created.timestamp()),
        "Size": 0,
        "SharedSize": -1,
        "Labels": None,
        "Containers": used,
    }


def describe(image: Image) -> dict[str, Any]:
    document, roots = image.document, image.document.get("rootfs") or {}
    return {
        "Id": f"sha256:{image.id}",
        "RepoTags": list(image.names),
        "RepoDigests": [],
        "Parent": "",
        "Comment": document.get("comment") or "",
        "Created": document.get("created") or _NEVER,
        "DockerVersion": "",
        "Author": document.get("author") or "",
        "Architecture": document.get("architecture") or architecture(),
        "Os": document.get("os") or "linux",
        "Size": image.size,
        "GraphDriver": {"Data": None, "Name": "overlayfs"},
        "RootFS": {"Type": "layers", "Layers": roots.get("diff_ids") or []},
        "Metadata": {"LastTagTime": _NEVER},
        "Config": dict(image.config),
    }


def describe_host(host: Host) -> dict[str, Any]:
    return {
        "Id": HOST_ID,
        "RepoTags": [f"{HOST}:latest"],
        "RepoDigests": [],
        "Created": host.created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Comment": "the host's own root directory",
        "Architecture": architecture(),
        "Os": "linux",
        "Size": 0,
        "Config": {"Cmd": None, "Entrypoint": None, "Env": None, "Labels": None, "WorkingDir": "/"},
        "RootFS": {"Type": "layers"},
    }


def show_history(image: Image) -> list[dict[str, Any]]:
    """The newest first, which alone is the image. Sizes of single layers are not known: all of it is the top one's."""
    entries = [entry for entry in image.document.get("history") or [] if isinstance(entry, dict)]
    shown = [
        {
            "Id": "<missing>",
            "Created": int(created(entry.get("created"))),
            "CreatedBy": entry.get("created_by") or "",
            "Tags": None,
            "Size": 0,
            "Comment": entry.get("comment") or "",
        }
        for entry in reversed(entries or [{}])
    ]
    shown[0].update(Id=f"sha256:{image.id}", Tags=list(image.names) or None, Size=image.size)
    return shown


def created(text: Any) -> float:
    """Seconds since 1970; 0 for what is no time. Other tools write nanoseconds."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
