"""/images/"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

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

    def host(self) -> Host:
        return chosen_host(self.request, None)

    def recorded(self, action: str, detail: dict[str, Any]) -> AbstractContextManager[None]:
        return images.recorded(account(self.request.user), action, self.host(), detail)


class ImagesView(_Images):
    """What a host's store holds: root file systems with what to run in them."""

    @extend_schema(parameters=[HOST], responses={200: ImageOut(many=True)})
    def get(self, request: Request) -> Response:
        """All images of one host, newest first."""
        given(request)
        found = images.list_images(self.host())
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
        with self.recorded("image.import", {"name": name}):
            image = images.import_image(
                self.host(), _chunks(request), name=name, changes=changes, message=message
            )
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
        with self.recorded("image.load", {}):
            loaded = images.load_images(self.host(), _chunks(request))
        return Response({"loaded": loaded}, status=201)


class ImageView(_Images):
    """One image, by name, id or unique beginning of an id."""

    @extend_schema(parameters=[HOST], responses={200: ImageOut})
    def get(self, request: Request, name: str) -> Response:
        """One image with its own JSON."""
        given(request)
        return Response(ImageOut(images.find_image(self.host(), _plain(name))).data)

    @extend_schema(parameters=[HOST, FORCE], responses={200: RemovedImage})
    def delete(self, request: Request, name: str) -> Response:
        """Take a name away, and with the last one the image."""
        force = given(request, "force").get("force", "").lower() in ("1", "true")
        with self.recorded("image.remove", {"name": _plain(name), "force": force}):
            removed = images.remove_image(self.host(), _plain(name), force=force)
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
        with self.recorded("image.tag", {"name": _plain(name), "new": new}):
            image = images.tag_image(self.host(), _plain(name), new)
        return Response(ImageOut(image).data)


_plain = partial(storable, "name")


def _chunks(request: Request) -> Iterator[bytes]:
    while chunk := request._request.read(PIECE):
        yield chunk
