"""Random host states, and the kernel objects that a state means. Two states of these have much in common."""

import ipaddress
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, identify, network
from workers.contract.state import Container, Endpoint, HostState, Network, Peer, Segment, Subnet
from workers.planning.desired import Desired
from workers.planning.objects import Objects
from workers.planning.render import Surroundings, render

NETWORKS = ("bridge", "front", "back")
CONTAINERS = ("a", "b", "c", "d")
PEERS = ("p", "q", "r")
SURROUNDINGS = Surroundings(resolv_conf="nameserver 192.0.2.53\n")


def render_all(state: HostState, surroundings: Surroundings = SURROUNDINGS) -> Objects:
    desired = Desired([*state.networks, *state.containers, *state.endpoints, *state.peers])
    wanted: Objects = {}
    for owner in desired.owners():
        wanted.update(render(desired, owner, surroundings))
    return wanted


@st.composite
def states(draw: st.DrawFn, *, commands: bool = True, fleet: bool = False) -> HostState:
    """Up to three networks and four containers; who has which name, subnet, interface and address is shuffled.

    `fleet`: an overlay with peers and a macvlan network besides."""
    blocks = draw(st.permutations(range(len(NETWORKS))))
    networks = [_draw_network(draw, name, block) for name, block in zip(NETWORKS, blocks, strict=True)]
    networks = [each for each in networks if draw(st.integers(0, 3))]
    names = draw(st.permutations(CONTAINERS))
    containers = [
        _draw_container(draw, own, name, commands) for own, name in zip(CONTAINERS, names, strict=True)
    ]
    containers = [each for each in containers if draw(st.integers(0, 3))]
    endpoints: list[Endpoint] = []
    hosts = {each.id: draw(st.permutations(range(2, 2 + len(CONTAINERS)))) for each in networks}
    for number, single in enumerate(containers):
        interfaces = draw(st.permutations(range(len(NETWORKS))))
        for on, index in zip(networks, interfaces, strict=False):
            if draw(st.booleans()) and not single.host_network:
                endpoints.append(
                    _draw_endpoint(draw, single, on, hosts[on.id][number], index, len(endpoints))
                )
    state = HostState(networks=tuple(networks), containers=tuple(containers), endpoints=tuple(endpoints))
    return _extend(draw, state) if fleet else state


def _extend(draw: st.DrawFn, state: HostState) -> HostState:
    """An address of the overlay may be a container's here in one state and a peer's in another, with the same MAC."""
    wide, lan = _draw_overlay(draw), _draw_macvlan(draw)
    addresses = draw(st.permutations([f"10.5{block}.0.{host}" for block in range(2) for host in range(2, 6)]))
    endpoints = list(state.endpoints)
    for number, single in enumerate(state.containers):
        if single.host_network:
            continue
        for on, ipv4, interface in (
            (wide, addresses[number], "eth3"),
            (lan, f"10.60.0.{number + 2}", "eth4"),
        ):
            if draw(st.booleans()):
                options: dict[str, Any] = {
                    "interface": interface,
                    "order": len(endpoints),
                    "names": (single.name,),
                }
                made = endpoint(single, on, ipv4, priority=draw(st.integers(0, 1)), **options)
                # By what stays when names are shuffled: the same endpoint is in both states.
                endpoints.append(replace(made, id=identify(f"{single.id} on {on.name}")))
    taken = {each.ipv4 for each in endpoints}
    free = [address for address in addresses if address not in taken]
    peers = [_draw_peer(draw, name, wide, ipv4) for name, ipv4 in zip(PEERS, free, strict=False)]
    networks = [each for each in (wide, lan) if draw(st.integers(0, 3))]
    return replace(
        state,
        networks=(*state.networks, *networks),
        endpoints=tuple(endpoints),
        peers=tuple(each for each in peers if draw(st.integers(0, 3))),
    )


def _draw_overlay(draw: st.DrawFn) -> Network:
    cidrs = ["10.50.0.0/24", "10.51.0.0/24"][: draw(st.integers(1, 2))]
    subnets = [Subnet(cidr=cidr, gateway=str(ipaddress.ip_network(cidr)[1])) for cidr in cidrs]
    return replace(
        network("wide", *cidrs, driver="overlay"),
        internal=draw(st.booleans()),
        mtu=draw(st.sampled_from((1400, 1450))),
        advertise=draw(st.sampled_from(("192.168.5.11", "192.168.5.21"))),
        segments=tuple(
            Segment(vni=4096 + number, bridge=f"ov-{number}", tunnel=f"vx-{number}", subnets=(subnet,))
            for number, subnet in enumerate(subnets)
        ),
    )


def _draw_macvlan(draw: st.DrawFn) -> Network:
    lan = network("lan", "10.60.0.0/24", driver="macvlan")
    gateway = draw(st.sampled_from((None, "10.60.0.254")))
    return replace(
        lan,
        device=draw(st.sampled_from(("eth8", "eth9"))),
        mtu=draw(st.sampled_from((0, 1400))),
        subnets=(Subnet(cidr="10.60.0.0/24", gateway=gateway),),
    )


def _draw_peer(draw: st.DrawFn, name: str, on: Network, ipv4: str) -> Peer:
    return Peer(
        id=identify(f"peer {name}"),
        network=on.id,
        container=identify(name),
        host=draw(st.sampled_from(("node2", "node3"))),
        tunnel=draw(st.sampled_from(("192.168.5.12", "192.168.5.13"))),
        mac="02:42:" + ipaddress.ip_address(ipv4).packed.hex(":"),
        ipv4=ipv4,
        names=(name,) if draw(st.booleans()) else (),
    )


def _draw_network(draw: st.DrawFn, name: str, block: int) -> Network:
    cidrs = [f"10.1{block}.0.0/24"]
    if draw(st.booleans()):
        cidrs.append(f"fd00:{block + 1}::/64")
    options: dict[str, Any] = {
        "default": name == "bridge",
        "internal": draw(st.booleans()) and name != "bridge",
        "icc": draw(st.booleans()),
        "mtu": draw(st.sampled_from((0, 1400))),
    }
    return network(name, *cidrs, **options)


def _draw_container(draw: st.DrawFn, own: str, name: str, commands: bool) -> Container:
    options: dict[str, Any] = {
        "running": bool(draw(st.integers(0, 3))),
        "incarnation": draw(st.integers(1, 2)),
        # It is so from its creation on.
        "host_network": own == CONTAINERS[-1],
        "env": {"WHO": own},
    }
    command = ("sleep", "60") if commands and draw(st.booleans()) else ()
    return replace(container(own, *command, **options), name=name)


def _draw_endpoint(
    draw: st.DrawFn, of: Container, on: Network, host: int, index: int, order: int
) -> Endpoint:
    ipv4 = on.subnets[0].cidr.replace(".0/24", f".{host}")
    ipv6 = on.subnets[1].cidr.replace("::/64", f"::{host}") if len(on.subnets) > 1 else None
    links = (
        tuple(f"{identify(target)[:12]}:{target}" for target in CONTAINERS if draw(st.booleans()))
        if on.default
        else ()
    )
    return endpoint(
        of,
        on,
        ipv4,
        ipv6=ipv6,
        interface=f"eth{index}",
        order=order,
        priority=draw(st.integers(0, 1)),
        links=links,
    )
