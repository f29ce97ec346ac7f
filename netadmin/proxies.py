"""Who a request comes from when a proxy stands before the server, and who else must not say so."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies(MiddlewareMixin):
    """Believes X-Forwarded-For and -Proto of the proxies in NETADMIN_PROXIES, and drops those of everybody else."""

    def process_request(self, request: HttpRequest) -> None:
        peer = request.META.get("REMOTE_ADDR", "")
        request.META["REMOTE_ADDR"] = find_address(peer, request.META.get("HTTP_X_FORWARDED_FOR", ""))
        if not _is_proxy(_read(peer)):
            for name in FORWARDED:
                request.META.pop(name, None)


def find_address(peer: str, forwarded: str) -> str:
    """Where a request comes from: the peer of its connection, or who a proxy of ours says (X-Forwarded-For)."""
    address = _read(peer)
    if address is None:
        return peer
    # The last entry is the proxy's own; what stands before it, anybody may have written.
    given = _read(forwarded.rpartition(",")[2].strip()) if _is_proxy(address) else None
    return str(given or address)


def _read(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # So a socket for both families spells who comes over IPv4 (RFC 4291, 2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address


def _is_proxy(address: Address | None) -> bool:
    return address is not None and any(address in network for network in settings.ENVIRONMENT.proxies)
