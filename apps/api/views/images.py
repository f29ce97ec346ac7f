"""/images/"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.permissions import OperatorChanges
from apps.accounts.roles import account
from apps.api import requests
from apps.api.views.base import HOST, chosen_host, given, parameter, read, storable
from apps.delivery import images
from apps.delivery.changes import Change, record
from apps.delivery.rights import demand
from apps.hosts.models import Host
from workers.contract.transfers import PIECE

FORCE = OpenApiParameter(
    "force", OpenApiTypes.BOOL, description="Even if a stopped container was made of it."
)
ARCHIVE = {"application/octet-stream": bytes}


class ImageOut(serializers.Serializer[images.Image]):
    id = serializers.CharField(help_text="64 hex digits.")
    names = serializers.ListField(child=serializers.CharField())
    size = serializers.IntegerField(help_text="Bytes of all its files.")
    document = serializers.JSONField(
        help_text="The image's own JSON: created, architecture, os, config, rootfs, history."
    )


class RemovedImage(serializers.Serializer[Any]):
    untagged = serializers.ListField(child=serializers.CharField(), help_text="Names that went.")
    deleted = serializers.ListField(child=serializers.CharField(), help_text="Ids of images that went.")


class _Images(APIView):
    permission_classes = [OperatorChanges]

    def begin(self, action: str, detail: dict[str, Any]) -> tuple[Host, Change]:
        """The host and the change, to which the right is asked for before the host does anything."""
        host = chosen_host(self.request, None)
        change = Change(actor=account(self.request.user), action=action, detail=detail)
        demand(change.actor, action, host)
        return host, change


class ImagesView(_Images):
    """What a host's store holds: root file systems with what to run in them."""

    @extend_schema(parameters=[HOST], responses={200: ImageOut(many=True)})
    def get(self, request: Request) -> Response:
        """All images of one host, newest first."""
        given(request)
        found = images.list_images(chosen_host(request, None))
        return Response(ImageOut(found, many=True).data)  # type: ignore[arg-type]

    @extend_schema(
        parameters=[
            HOST,
            parameter("name", "What it shall be called.", optional=True),
            parameter("change", "A line as `docker import --change` takes it.", many=True, optional=True),
            parameter("message", "Its comment.", optional=True),
        ],
        request=ARCHIVE,
        responses={201: ImageOut},
    )
    def post(self, request: Request) -> Response:
        """Make an image of a tar with a root file system, which is the body: plain, or packed by gzip, bzip2 or xz."""
        known = given(request, "name", "change", "message")
        name, changes, message = known.get("name", ""), known.getlist("change"), known.get("message", "")
        host, change = self.begin("image.import", {"name": name})
        image = images.import_image(host, _chunks(request), name=name, changes=changes, message=message)
        note(change, host)
        return Response(ImageOut(image).data, status=201)


class LoadView(_Images):
    @extend_schema(
        parameters=[HOST],
        request=ARCHIVE,
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Take in an archive of `docker save`, which is the body. `loaded` in the answer names what it held."""
        given(request)
        host, change = self.begin("image.load", {})
        loaded = images.load_images(host, _chunks(request))
        note(change, host)
        return Response({"loaded": loaded}, status=201)


class ImageView(_Images):
    """One image, by name, id or unique beginning of an id."""

    @extend_schema(parameters=[HOST], responses={200: ImageOut})
    def get(self, request: Request, name: str) -> Response:
        """One image with its own JSON."""
        given(request)
        return Response(ImageOut(images.find_image(chosen_host(request, None), _plain(name))).data)

    @extend_schema(parameters=[HOST, FORCE], responses={200: RemovedImage})
    def delete(self, request: Request, name: str) -> Response:
        """Take a name away, and with the last one the image."""
        force = given(request, "force").get("force", "").lower() in ("1", "true")
        host, change = self.begin("image.remove", {"name": _plain(name), "force": force})
        removed = images.remove_image(host, _plain(name), force=force)
        note(change, host)
        return Response(
            {
                "untagged": [what for kind, what in removed if kind == "Untagged"],
                "deleted": [what for kind, what in removed if kind == "Deleted"],
            }
        )


class TagView(_Images):
    @extend_schema(parameters=[HOST], request=requests.ImageTag, responses={200: ImageOut})
    def post(self, request: Request, name: str) -> Response:
        """Give an image one more name, which another loses if it had it."""
        new = read(requests.ImageTag, request)["name"]
        host, change = self.begin("image.tag", {"name": _plain(name), "new": new})
        image = images.tag_image(host, _plain(name), new)
        note(change, host)
        return Response(ImageOut(image).data)


_plain = partial(storable, "name")


def note(change: Change, host: Host) -> None:
    """The line in the history, once the host has done it."""
    with transaction.atomic():
        record(change, host, host)


def _chunks(request: Request) -> Iterator[bytes]:
    while chunk := request._request.read(PIECE):
        yield chunk
