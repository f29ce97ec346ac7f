"""/images: what containers can be made of: the host's store, and `host`, its own root directory. No registry."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from apps.common.errors import NotFound
from apps.containers.models import Container
from apps.delivery import images
from apps.delivery.images import Image, recorded
from apps.delivery.rights import demand
from apps.docker_api.image_filters import PRUNE, SHOW, Choice
from apps.docker_api.image_shapes import (
    HOST,
    HOST_ID,
    describe,
    describe_host,
    show_history,
    summarise,
    summarise_host,
    with_tag,
)
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request, accept_filters
from apps.docker_api.responses import Answer
from apps.docker_api.threads import in_thread
from apps.hosts.models import Host
from workers.contract.transfers import PATIENCE

_HINT = (
    "netadmin pulls nothing: bring it with docker import or docker load; the image host is the host's own root "
    "directory"
)
_BUILT_IN = "the host's own root directory is always there, under one name"


def find(host: Host, name: str) -> Image | None:
    """None: the host's own root directory. EngineError when there is no such image."""
    if _is_host(name):
        return None
    try:
        return images.find_image(host, name)
    except NotFound:
        raise EngineError(404, f"No such image: {with_tag(name)} ({_HINT})") from None


def _is_host(name: str) -> bool:
    plain = name.removeprefix("sha256:")
    by_id = len(plain) >= 4 and HOST_ID.removeprefix("sha256:").startswith(plain)
    return name in (HOST, f"{HOST}:latest") or by_id


def _find_stored(request: Request) -> Image:
    found = find(request.host, request.path["name"])
    if found is None:
        raise EngineError(409, f"conflict: {_BUILT_IN}.")
    return found


def show_all(request: Request, facts: dict[str, str]) -> Answer:
    choice = Choice(accept_filters(request.filters, SHOW), lambda name: find(request.host, name))
    used = _count_uses(request.host)
    shown = [
        summarise(image, choice.choose_names(image.names), used.get(image.id, 0))
        for image in images.list_images(request.host)
        if choice.takes(image)
    ]
    if choice.takes_host():
        shown.append(summarise_host(request.host, used.get("", 0)))
    return Answer(shown)


def _count_uses(host: Host) -> dict[str, int]:
    """Containers by the id of their image."""
    counted: dict[str, int] = {}
    for image in Container.objects.filter(host=host).values_list("image", flat=True):
        counted[image] = counted.get(image, 0) + 1
    return counted


def inspect(request: Request, facts: dict[str, str]) -> Answer:
    found = find(request.host, request.path["name"])
    return Answer(describe_host(request.host) if found is None else describe(found))


def history(request: Request, facts: dict[str, str]) -> Answer:
    found = find(request.host, request.path["name"])
    return Answer([] if found is None else show_history(found))


def tag(request: Request, facts: dict[str, str]) -> Answer:
    """A further name; not `host`, under which everybody knows something else."""
    repository, name = request.value("repo"), request.path["name"]
    with recorded(request.user, "image.tag", request.host, {"name": name, "new": repository}):
        images.tag_image(request.host, _find_stored(request).id, _join(repository, request.value("tag")))
    return Answer(status=201)


def _join(repository: str, tag: str) -> str:
    if not repository:
        return ""
    name = f"{repository}:{tag}" if tag else repository
    if _is_host(with_tag(name)):
        raise EngineError(409, f"conflict: the name {HOST} is taken: {_BUILT_IN}.")
    return name


def remove(request: Request, facts: dict[str, str]) -> Answer:
    name, force = request.path["name"], request.flag("force")
    with recorded(request.user, "image.remove", request.host, {"name": name, "force": force}):
        _find_stored(request)
        removed = images.remove_image(request.host, name, force=force)
    return Answer([{kind: what} for kind, what in removed])


def prune(request: Request, facts: dict[str, str]) -> Answer:
    """Images without a name, or with `dangling=false` all that no container needs."""
    filters = accept_filters(request.filters, PRUNE)
    choice = Choice(filters, lambda name: None)
    used, host = _count_uses(request.host), request.host
    demand(request.user, "image.remove", host)
    unneeded = filters.get("dangling") in (("false",), ("0",))
    removed: list[dict[str, str]] = []
    freed = 0
    for image in images.list_images(host):
        if used.get(image.id) or (image.names and not unneeded) or not choice.fits(image):
            continue
        with recorded(request.user, "image.remove", host, {"name": image.id, "force": True}):
            removed += [{kind: what} for kind, what in images.remove_image(host, image.id, force=True)]
        freed += image.size
    return Answer({"ImagesDeleted": removed or None, "SpaceReclaimed": freed})


async def create(request: Request, facts: dict[str, str]) -> Answer:
    """`docker import`; and `docker pull`, by which `docker run` asks for what it was told is not there."""
    source = request.value("fromSrc")
    if not source:
        name = request.value("fromImage")
        await in_thread(find, request.host, _join_reference(name, request.value("tag")))
        return Answer({"status": f"{name} is here already; nothing is ever pulled"})
    if source != "-":
        raise EngineError(400, "netadmin fetches nothing: give the archive itself (docker import FILE).")
    name = _join(request.value("repo"), request.value("tag"))
    changes, message = request.query.get("changes", []), request.value("message")

    def work(chunks: Iterator[bytes]) -> Any:
        with recorded(request.user, "image.import", request.host, {"name": name}):
            image = images.import_image(request.host, chunks, name=name, changes=changes, message=message)
        return {"status": f"sha256:{image.id}"}

    return Answer(await _with_body(request, work))


def _join_reference(name: str, tag: str) -> str:
    return f"{name}:{tag}" if tag and not tag.startswith("sha256:") else name


async def load(request: Request, facts: dict[str, str]) -> Answer:
    def work(chunks: Iterator[bytes]) -> Any:
        with recorded(request.user, "image.load", request.host, {}):
            return images.load_images(request.host, chunks)

    loaded: list[str] = await _with_body(request, work)
    lines = [f"Loaded image{' ID' if name.startswith('sha256:') else ''}: {name}\n" for name in loaded]
    return Answer({"stream": "".join(lines)})


async def _with_body(request: Request, work: Callable[[Iterator[bytes]], Any]) -> Any:
    """What `work` makes of the body, which it draws at its own pace from a thread."""
    return await in_thread(work, _draw(request.chunks(), asyncio.get_running_loop()))


def _draw(chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    async def take() -> bytes | None:
        try:
            return await asyncio.wait_for(anext(chunks, None), PATIENCE)
        except TimeoutError:
            # The host does not wait for longer either; and a thread is held meanwhile.
            raise EngineError(400, "the rest of the body did not come") from None

    while (chunk := asyncio.run_coroutine_threadsafe(take(), loop).result()) is not None:
        yield chunk
