"""Random host states, and the kernel objects that a state means. Two states of these have much in common."""

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, identify, network
from workers.contract.state import Container, Endpoint, HostState, Network
from workers.planning.desired import Desired
from workers.planning.objects import Objects
from workers.planning.render import Surroundings, render

NETWORKS = ("bridge", "front", "back")
CONTAINERS = ("a", "b", "c", "d")
SURROUNDINGS = Surroundings(resolv_conf="nameserver 192.0.2.53\n")


def render_all(state: HostState, surroundings: Surroundings = SURROUNDINGS) -> Objects:
    desired = Desired([*state.networks, *state.containers, *state.endpoints, *state.peers])
    wanted: Objects = {}
    for owner in desired.owners():
        wanted.update(render(desired, owner, surroundings))
    return wanted


@st.composite
def states(draw: st.DrawFn, *, commands: bool = True) -> HostState:
    """Up to three networks and four containers; who has which name, subnet, interface and address is shuffled."""
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
    return HostState(networks=tuple(networks), containers=tuple(containers), endpoints=tuple(endpoints))


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
