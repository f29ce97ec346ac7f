"""Short ways to write down rows: ids come from names, MACs from addresses."""

import ipaddress
from hashlib import sha256
from typing import Any

from workers.contract.state import Container, Endpoint, Link, Network, Row, Spec, Subnet


def identify(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def network(name: str, *cidrs: str, driver: str = "bridge", **options: Any) -> Network:
    """`cidrs`: its subnets; the first address of each is the gateway."""
    subnets = tuple(Subnet(cidr=cidr, gateway=str(ipaddress.ip_network(cidr)[1])) for cidr in cidrs)
    options.setdefault("device", f"br-{identify(name)[:12]}" if driver == "bridge" else "")
    return Network(id=identify(name), name=name, driver=driver, subnets=subnets, **options)


def container(name: str, *command: str, incarnation: int = 1, **options: Any) -> Container:
    """A running one, unless `running` says otherwise."""
    fields = {"hostname": identify(name)[:12], "running": True, **options}
    return Container(id=identify(name), name=name, command=command, incarnation=incarnation, **fields)


def endpoint(
    of: Container, on: Network, ipv4: str | None = None, *, links: tuple[str, ...] = (), **options: Any
) -> Endpoint:
    """`links`: each `target:alias`."""
    named = on.driver == "bridge" and not on.default
    fields: dict[str, Any] = {
        "interface": "eth0" if on.driver == "bridge" else "",
        "names": (of.name, of.id[:12]) if named else (),
        **options,
    }
    if ipv4 is not None:
        packed = ipaddress.ip_address(ipv4).packed
        fields.setdefault("mac", "02:42:" + ":".join(f"{octet:02x}" for octet in packed))
    return Endpoint(
        id=identify(f"{of.name} on {on.name}"),
        container=of.id,
        network=on.id,
        ipv4=ipv4,
        links=tuple(
            Link(target=target, alias=alias) for target, alias in (link.split(":") for link in links)
        ),
        **fields,
    )


def kind_of(spec: Spec) -> Any:
    return spec.__struct_config__.tag


def row(spec: Spec, revision: int = 1) -> Row:
    return Row(kind=kind_of(spec), id=spec.id, revision=revision, spec=spec)


def removal(spec: Spec, revision: int = 1) -> Row:
    return Row(kind=kind_of(spec), id=spec.id, revision=revision)
