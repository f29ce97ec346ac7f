"""The images of a host, for every face: asked of the host itself, which alone knows what it has.

A name is what Docker takes: `busybox`, `busybox:1.36`, an id or its unique beginning, with or without `sha256:`.
All functions raise Unavailable `host_silent` when the host does not answer.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from apps.common.errors import Conflict, DomainError, Invalid, NotFound
from apps.containers.models import Container
from apps.containers.services import Details
from apps.delivery.changes import Change, record
from apps.delivery.questions import ask
from apps.delivery.rights import demand
from apps.delivery.transfers import bring
from apps.hosts.models import Host

HINT = "import it first: netadmin image import FILE NAME, or image load FILE"


@dataclass(frozen=True)
class Image:
    id: str
    """64 hex digits."""
    names: tuple[str, ...]
    """Each with its tag, in the familiar form: `busybox:latest`."""
    size: int
    """Bytes of all files."""
    document: Mapping[str, Any]
    """Its own JSON: `created`, `architecture`, `os`, `config`, `rootfs`, `history` (OCI image-spec, config.md)."""

    @property
    def config(self) -> Mapping[str, Any]:
        """`Cmd`, `Entrypoint`, `Env`, `WorkingDir`, `User`, `Labels`, `ExposedPorts`; any may be missing."""
        return self.document.get("config") or {}


def list_images(host: Host) -> list[Image]:
    """The newest first."""
    return [_read(each) for each in _ask(host, "list_images", {})["images"]]


def find_image(host: Host, name: str) -> Image:
    """NotFound `image_not_found`, with the engine's sentence and how to mend it."""
    return _read(_ask(host, "find_image", {"name": name})["image"])


def import_image(
    host: Host, chunks: Iterable[bytes], *, name: str = "", changes: Sequence[str] = (), message: str = ""
) -> Image:
    """Make an image of a tar with a root file system; `changes` as `docker import --change` takes them."""
    arguments = {"name": name, "changes": list(changes), "message": message}
    with _explained():
        return _read(bring(host, "import_image", arguments, chunks)["image"])


def load_images(host: Host, chunks: Iterable[bytes]) -> list[str]:
    """Take in an archive of `docker save`; the names of what it held, `sha256:ID` for what had none."""
    with _explained():
        return [str(name) for name in bring(host, "load_images", {}, chunks)["loaded"]]


def tag_image(host: Host, name: str, new: str) -> Image:
    """Give an image one more name, which another loses if it had it."""
    return _read(_ask(host, "tag_image", {"name": name, "new": new})["image"])


def remove_image(host: Host, name: str, *, force: bool = False) -> list[tuple[str, str]]:
    """Take a name away, and with the last one the image: ("Untagged", NAME) and ("Deleted", "sha256:ID").

    Conflict `image_in_use` while a container needs it.
    """
    used = Container.objects.filter(host=host).exclude(image="").exclude(wanted=Container.Wanted.REMOVING)
    uses = [
        {"container": id, "image": image, "running": wanted == Container.Wanted.RUNNING}
        for id, image, wanted in used.values_list("id", "image", "wanted")
    ]
    removed = _ask(host, "remove_image", {"name": name, "force": force, "uses": uses})["removed"]
    return [(kind, what) for kind, what in removed]


@contextlib.contextmanager
def recorded(
    actor: AbstractBaseUser | None, action: str, host: Host, detail: Mapping[str, Any]
) -> Iterator[None]:
    """Around a change of the store: the right to it is asked for before, and the history has it once it is done."""
    change = Change(actor=actor, action=action, detail=dict(detail))
    demand(actor, action, host)
    yield
    with transaction.atomic():
        record(change, host, host)


def container_details(
    image: Image,
    name: str,
    *,
    command: Sequence[str] = (),
    entrypoint: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    working_dir: str = "",
    user: str = "",
) -> tuple[list[str], dict[str, str], Details]:
    """(command, env, details) of a container of that image, for `lifecycle.create_container`.

    What is not given is the image's. An entrypoint that is given takes the image's command away with its own;
    `[""]` is none, and so is `[]`, which leaves the command.
    """
    config = image.config
    words = list(command)
    if not entrypoint:
        words = words or list(config.get("Cmd") or [])
    if entrypoint is None:
        entrypoint = config.get("Entrypoint") or []
    elif list(entrypoint) == [""]:
        entrypoint = []
    if not entrypoint and not words:
        raise Invalid("no_command", "no command specified: the image has none, so name one.", "command")
    own = dict(line.split("=", 1) for line in config.get("Env") or [] if "=" in line)
    details: Details = {
        "image": image.id,
        "image_name": name,
        "entrypoint": list(entrypoint),
        "working_dir": working_dir or str(config.get("WorkingDir") or ""),
        "user": user or str(config.get("User") or ""),
    }
    return words, {**own, **(env or {})}, details


def _ask(host: Host, kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    with _explained():
        return ask(host, kind, arguments, settings.NETADMIN_ANSWER_TIMEOUT)


class _explained:
    """The host's refusals under codes of their own."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, DomainError) or error.code != "host_refused":
            return
        if isinstance(error, NotFound):
            raise NotFound("image_not_found", f"{error.message}; {HINT}.", "image") from error
        if isinstance(error, Conflict):
            raise Conflict("image_in_use", error.message, "image") from error
        raise Invalid("bad_image", error.message, "image") from error


def _read(found: Mapping[str, Any]) -> Image:
    return Image(found["id"], tuple(found["names"]), int(found["size"]), found["document"])
