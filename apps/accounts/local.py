"""Who comes over the server's own Unix socket: only root can open it, so no further proof is asked for."""

from collections.abc import Mapping
from typing import Any

FORWARDING = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether an ASGI connection came straight over a Unix socket.

    The ASGI specification gives `server` as (path, None) for a Unix socket and (address, port) for TCP. A proxy that
    was pointed at the socket would make an administrator of everybody: what it has forwarded is not local.
    """
    server = scope.get("server")
    if not server or server[1] is not None or not str(server[0]).startswith("/"):
        return False
    return all(name.lower() not in FORWARDING for name, _ in scope.get("headers", ()))
