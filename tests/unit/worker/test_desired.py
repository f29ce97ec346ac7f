"""One change finds its neighbours, and nobody else."""

from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, identify, network, removal, row
from workers.contract.state import Peer
from workers.planning.desired import Desired

FRONT, DEFAULT = network("front", "10.1.0.0/24"), network("bridge", "10.9.0.0/24", default=True, icc=False)
ONE, TWO, OTHER = container("one"), container("two"), container("other")
ONE_ON, TWO_ON = endpoint(ONE, FRONT, "10.1.0.2"), endpoint(TWO, FRONT, "10.1.0.3")
OTHER_ON = endpoint(OTHER, DEFAULT, "10.9.0.2")
LINKING = endpoint(ONE, DEFAULT, "10.9.0.3", links=("other:x", f"{TWO.id[:12]}:y"))
WIDE, OTHER_WIDE = network("wide", driver="overlay"), network("other wide", driver="overlay")
FAR, FURTHER = (
    Peer(
        id=identify(n),
        network=WIDE.id,
        container=n,
        host="node2",
        tunnel="192.168.5.12",
        mac="02:42:00:00:00:01",
    )
    for n in ("far", "further")
)
ALL = (FRONT, DEFAULT, ONE, TWO, OTHER, ONE_ON, TWO_ON, OTHER_ON, LINKING)


def test_a_network_affects_what_is_on_it() -> None:
    assert Desired(ALL).affected_by("network", FRONT.id) == {
        ("network", FRONT.id),
        ("endpoint", ONE_ON.id),
        ("endpoint", TWO_ON.id),
        ("container", ONE.id),
        ("container", TWO.id),
    }


def test_an_endpoint_affects_its_container_but_not_its_neighbours() -> None:
    assert Desired(ALL).affected_by("endpoint", TWO_ON.id) == {
        ("endpoint", TWO_ON.id),
        ("container", TWO.id),
        # It links to that container by the beginning of its id.
        ("endpoint", LINKING.id),
        ("container", ONE.id),
    }
    assert Desired((FRONT, ONE, TWO, ONE_ON, TWO_ON)).affected_by("endpoint", TWO_ON.id) == {
        ("endpoint", TWO_ON.id),
        ("container", TWO.id),
    }


def test_a_container_affects_who_links_to_it_on_the_default_network() -> None:
    assert Desired(ALL).affected_by("container", OTHER.id) == {
        ("container", OTHER.id),
        ("endpoint", OTHER_ON.id),
        ("container", ONE.id),
        ("endpoint", LINKING.id),
    }


def test_a_link_finds_its_target_on_the_same_network_only() -> None:
    found = [(alias, target.name, other.id) for alias, target, other in Desired(ALL).linked_from(LINKING)]
    assert found == [("x", "other", OTHER_ON.id)]


def test_removed_rows_are_forgotten_in_every_index() -> None:
    desired = Desired(ALL)
    for spec in (LINKING, ONE_ON, ONE, FRONT):
        desired.put(removal(spec))
    assert desired.endpoints_of(ONE.id) == []
    assert desired.endpoint_ids_on(FRONT.id) == {TWO_ON.id}
    assert desired.affected_by("container", OTHER.id) == {("container", OTHER.id), ("endpoint", OTHER_ON.id)}
    assert set(desired.owners()) == {
        ("network", DEFAULT.id),
        ("container", TWO.id),
        ("container", OTHER.id),
        ("endpoint", TWO_ON.id),
        ("endpoint", OTHER_ON.id),
    }


def test_an_endpoint_that_moves_leaves_its_old_network() -> None:
    desired = Desired(ALL)
    desired.put(row(replace(endpoint(TWO, DEFAULT, "10.9.0.7"), id=TWO_ON.id)))
    assert desired.endpoint_ids_on(FRONT.id) == {ONE_ON.id}
    assert TWO_ON.id in desired.endpoint_ids_on(DEFAULT.id)


def test_an_overlay_affects_its_peers_and_a_peer_nobody_else() -> None:
    desired = Desired((WIDE, OTHER_WIDE, FAR, FURTHER))
    peers = {("peer", FAR.id), ("peer", FURTHER.id)}
    assert desired.affected_by("network", WIDE.id) == {("network", WIDE.id), *peers}
    assert desired.affected_by("network", OTHER_WIDE.id) == {("network", OTHER_WIDE.id)}
    assert desired.affected_by("peer", FAR.id) == {("peer", FAR.id)}
    assert peers < set(desired.owners())


def test_peers_may_come_before_their_network_move_and_go() -> None:
    desired = Desired()
    desired.put(row(FAR))
    desired.put(row(FURTHER))
    assert desired.affected_by("network", WIDE.id) >= {("peer", FAR.id), ("peer", FURTHER.id)}
    desired.put(row(replace(FAR, network=OTHER_WIDE.id, tunnel="192.168.5.13")))
    assert desired.affected_by("network", WIDE.id) == {("network", WIDE.id), ("peer", FURTHER.id)}
    assert desired.affected_by("network", OTHER_WIDE.id) == {("network", OTHER_WIDE.id), ("peer", FAR.id)}
    desired.put(removal(FAR))
    desired.put(removal(FAR))
    assert FAR.id not in desired.peers
    assert desired.affected_by("network", OTHER_WIDE.id) == {("network", OTHER_WIDE.id)}
