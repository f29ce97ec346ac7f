"""Which MAC an endpoint has of which nobody said another: server and hosts go by the same."""

from ipaddress import ip_address


def derive_mac(ipv4: str | None, ipv6: str | None) -> str:
    """02:42 and the address, so that whoever cached the address finds the same MAC again after it was reused.

    >>> derive_mac("172.25.0.2", None)
    '02:42:ac:19:00:02'
    """
    packed = ip_address(ipv4 or ipv6 or "0.0.0.0").packed[-4:]
    return ":".join(f"{octet:02x}" for octet in (0x02, 0x42, *packed))
