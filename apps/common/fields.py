"""The names under which people give what the domain calls by another word."""

_GIVEN_AS = {
    "aux": "aux_addresses",
    "ip": "ipv4_address",
    "ipv4": "ipv4_address",
    "ip6": "ipv6_address",
    "ipv6": "ipv6_address",
}


def given_as(field: str | None) -> str | None:
    """The input to blame for a `DomainError`, as REST and admin name it; of a list as 2.ipv4_address."""
    if not field:
        return None
    place, dot, name = field.rpartition(".")
    return f"{place}{dot}{_GIVEN_AS.get(name, name)}"
