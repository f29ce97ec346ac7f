"""/images: what containers can be made of. There is one, `host`: the host's own root directory; and no registry."""

import hashlib
from typing import Any

from apps.containers.models import Container
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request, accept_filters
from apps.docker_api.responses import Answer
from apps.docker_api.system import architecture

HOST = "host"
HOST_ID = f"sha256:{hashlib.sha256(b'the root directory of a netadmin host').hexdigest()}"
LIST_FILTERS = frozenset({"before", "dangling", "label", "reference", "since", "until"})


def find(name: str) -> str:
    """The image's id; EngineError when there is no such image."""
    plain = name.removeprefix("sha256:")
    by_id = len(plain) >= 4 and HOST_ID.removeprefix("sha256:").startswith(plain)
    if name not in (HOST, f"{HOST}:latest") and not by_id:
        raise EngineError(404, f"No such image: {with_tag(name)}{_HINT}")
    return HOST_ID


_HINT = " (there is no registry behind netadmin; the image host is the host's own root directory)"


def with_tag(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def show_all(request: Request, facts: dict[str, str]) -> Answer:
    filters = accept_filters(request.filters, LIST_FILTERS)
    if (
        filters.get("reference", (HOST,)) != (HOST,)
        or "label" in filters
        or filters.get("dangling") == ("true",)
    ):
        return Answer([])
    return Answer(
        [
            {
                "Id": HOST_ID,
                "ParentId": "",
                "RepoTags": [f"{HOST}:latest"],
                "RepoDigests": [],
                "Created": int(request.host.created.timestamp()),
                "Size": 0,
                "SharedSize": -1,
                "Labels": None,
                "Containers": Container.objects.filter(host=request.host, image="").count(),
            }
        ]
    )


def inspect(request: Request, facts: dict[str, str]) -> Answer:
    identity = find(request.path["name"])
    config: dict[str, Any] = {"Cmd": None, "Entrypoint": None, "Env": None, "Labels": None, "WorkingDir": "/"}
    return Answer(
        {
            "Id": identity,
            "RepoTags": [f"{HOST}:latest"],
            "RepoDigests": [],
            "Created": request.host.created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "Comment": "the host's own root directory",
            "Architecture": architecture(),
            "Os": "linux",
            "Size": 0,
            "Config": config,
            "RootFS": {"Type": "layers"},
        }
    )


def pull(request: Request, facts: dict[str, str]) -> Answer:
    """`docker run` pulls what it was told is not there."""
    find(request.value("fromImage"))
    return Answer({"status": f"{HOST}: the host's own root directory, always up to date"})
