"""Lists in pages: ?limit (1 to 1000, else 50) and ?offset."""

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

FARTHEST = 2**31


class Pages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 1000

    def get_limit(self, request: Request) -> int:
        return _read(request, "limit", 1, 1000, self.default_limit)

    def get_offset(self, request: Request) -> int:
        return _read(request, "offset", 0, FARTHEST, 0)


def _read(request: Request, name: str, lowest: int, highest: int, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and lowest <= int(text) <= highest):
        raise ValidationError({name: [f"Give a number from {lowest} to {highest}."]}, code="bad_page")
    return int(text)
