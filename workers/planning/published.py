"""A published port to kernel objects. Pure."""

from collections.abc import Iterable

from workers.contract.publishing import ALL4, ALL6, Binding, is_loopback
from workers.contract.state import Container
from workers.planning.objects import Element, KernelObject, Listener, Redirect


def published(container: Container, binding: Binding) -> Iterable[KernelObject]:
    """Redirected by the firewall where it can: not from loopback addresses, and not from one family to the other."""
    yield Listener(container=container.id, binding=binding)
    if is_loopback(binding.address):
        return
    match = f"{binding.protocol} . {binding.host_port}"
    yield Element(set="relayed", value=match)
    if (":" in binding.address) != (":" in binding.target):
        return
    family = 6 if ":" in binding.address else 4
    every = binding.address in (ALL4, ALL6)
    yield Redirect(
        map=f"all{family}" if every else f"one{family}",
        match=match if every else f"{binding.address} . {match}",
        target=f"{binding.target} . {binding.port}",
    )
