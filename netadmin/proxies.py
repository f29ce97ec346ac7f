"""Who a request comes from when a proxy stands before the server, and who else must not say so."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")


class Proxies(MiddlewareMixin):
    """Believes X-Forwarded-For and -Proto of the proxies in NETADMIN_PROXIES, and drops those of everybody else."""

    def process_request(self, request: HttpRequest) -> None:
        if not self.is_proxy(request.META.get("REMOTE_ADDR", "")):
            for name in FORWARDED:
                request.META.pop(name, None)
            return
        # The last entry is the proxy's own; what stands before it, anybody may have written.
        given = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        try:
            request.META["REMOTE_ADDR"] = str(ipaddress.ip_address(given))
        except ValueError:
            return

    def is_proxy(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in settings.ENVIRONMENT.proxies)
