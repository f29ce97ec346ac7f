"""JSON bodies, with bounds that a hostile one cannot pass."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

LIMIT = 1024 * 1024
"""Bytes of a body."""


class BoundedJSONParser(JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(LIMIT + 1)
        if len(body) > LIMIT:
            raise ParseError(f"The body is larger than {LIMIT} bytes.")
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        # RecursionError: thousands of brackets inside each other.
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
