"""What a peer means on a host that is told of it."""

from tests.unit.worker.specs import identify, network
from workers.contract.state import Network, Peer, Segment, Subnet
from workers.planning.desired import Desired
from workers.planning.objects import KernelObject, Name, Remote
from workers.planning.render import Surroundings, render

HERE = Surroundings(host="node1")
SUBNETS = (
    Subnet(cidr="10.50.0.0/24", gateway="10.50.0.1"),
    Subnet(cidr="fd00:50::/64", gateway="fd00:50::1"),
    Subnet(cidr="10.51.0.0/24", gateway="10.51.0.1"),
)
WIDE = Network(
    id=identify("wide"),
    name="wide",
    driver="overlay",
    subnets=SUBNETS,
    segments=(
        Segment(vni=4096, bridge="ov-4096", tunnel="vx-4096", subnets=SUBNETS[:2]),
        Segment(vni=4097, bridge="ov-4097", tunnel="vx-4097", subnets=SUBNETS[2:]),
    ),
)


def peer(
    ipv4: str | None, ipv6: str | None = None, host: str = "node2", names: tuple[str, ...] = ("bob",)
) -> Peer:
    return Peer(
        id=identify("bob on wide"),
        network=WIDE.id,
        container=identify("bob"),
        host=host,
        tunnel="192.168.5.12",
        mac="02:42:0a:32:00:09",
        ipv4=ipv4,
        ipv6=ipv6,
        names=names,
    )


def meaning(told: Peer, *networks: Network) -> list[KernelObject]:
    desired = Desired((*(networks or (WIDE,)), told))
    return list(render(desired, ("peer", told.id), HERE).values())


def test_it_is_on_the_segment_that_contains_its_address() -> None:
    for ipv4, ipv6, segment in (
        ("10.50.0.9", "fd00:50::9", 4096),
        ("10.51.0.9", None, 4097),
        (None, "fd00:50::9", 4096),
    ):
        remote, name = meaning(peer(ipv4, ipv6))
        assert isinstance(remote, Remote) and isinstance(name, Name)
        assert (remote.bridge, remote.tunnel) == (f"ov-{segment}", f"vx-{segment}")
        assert remote.addresses == tuple(address for address in (ipv4, ipv6) if address)


def test_without_names_it_is_reached_but_nobody_is_sent_there() -> None:
    (only,) = meaning(peer("10.50.0.9", names=()))
    assert isinstance(only, Remote)


def test_on_its_own_host_it_is_the_endpoint_that_is_there_anyway() -> None:
    assert meaning(peer("10.50.0.9", host="node1")) == []


def test_outside_every_segment_or_on_an_unknown_network_it_is_nothing() -> None:
    assert meaning(peer("10.99.0.9")) == []
    assert meaning(peer("10.50.0.9"), network("another", driver="overlay")) == []


def test_where_it_moves_from_and_to_is_one_object() -> None:
    (before, _), (after, _) = meaning(peer("10.50.0.9")), meaning(peer("10.50.0.9", host="node3"))
    assert before.key == after.key
