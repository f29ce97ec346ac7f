"""Taking one address, as a change does."""

from collections.abc import Sequence

from apps.ipam.models import Subnet
from apps.ipam.taking import Takings


def take_first(subnets: Sequence[Subnet], *, holder: str, requested: str | None = None) -> str:
    takings = Takings()
    _, address = takings.take_first(subnets, holder=holder, requested=requested)
    takings.write()
    return address


def take_address(subnet: Subnet, *, holder: str, requested: str | None = None) -> str:
    return take_first([subnet], holder=holder, requested=requested)
