"""What the hosts of an overlay are told of each other's endpoints, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.delivery import silence, tasks
from apps.hosts.models import Host
from apps.networks.models import Membership, Network, Peer
from apps.networks.services import peers
from tests.server.overlay.conftest import Fleet
from tests.server.overlay.scene import (
    change_container,
    connect,
    disconnect,
    endpoint_of,
    make_overlay,
    run,
)
from workers.contract.reports import Exit
from workers.contract.state import Peer as PeerSpec


def test_a_container_is_announced_when_its_host_has_made_it(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    first = run(hosts[0], "first", network)
    fleet.catch_up(hosts[0])
    second = run(hosts[1], "second", network)
    fleet.sent.clear()
    assert fleet.peers_sent(hosts[0]) == []
    fleet.catch_up(hosts[1])
    ((told, names),) = fleet.peers_sent(hosts[0])
    assert told == endpoint_of(second).pk
    assert names is not None and names[0] == "second"
    assert Peer.objects.get(pk=endpoint_of(first).pk).tunnel == "192.168.5.11"


def test_a_host_hears_of_the_peers_before_it_makes_its_first_endpoint(
    fleet: Fleet, hosts: list[Host]
) -> None:
    network = make_overlay()
    first = run(hosts[0], "first", network)
    fleet.catch_up(hosts[0])
    fleet.sent.clear()
    run(hosts[1], "second", network)
    feed, own = fleet.sent[hosts[1].name]
    assert (feed.feed, feed.full, [row.id for row in feed.rows]) == (
        network.pk,
        True,
        [endpoint_of(first).pk],
    )
    (spec,) = [row.spec for row in feed.rows]
    assert isinstance(spec, PeerSpec)
    assert (spec.host, spec.tunnel, spec.ipv4) == ("node1", "192.168.5.11", "10.0.0.2")
    assert own.feed == "" and {row.kind for row in own.rows} == {"network", "container", "endpoint"}
    assert fleet.sent[hosts[2].name] == []


@pytest.mark.parametrize(
    "change", ["stop_container", "remove_container", "exit", "disconnect", "restart_container"]
)
def test_a_peer_is_withdrawn_at_once(fleet: Fleet, hosts: list[Host], change: str) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    second = run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    endpoint = endpoint_of(second).pk
    fleet.sent.clear()
    if change == "exit":
        fleet.report(hosts[1], exits=(Exit(container=second.pk, incarnation=1, code=0),))
    elif change == "disconnect":
        disconnect(network, second)
    else:
        change_container(second, change, **({"force": True} if change.startswith("remove") else {}))
    assert fleet.peers_sent(hosts[0]) == [(endpoint, None)]


def test_a_new_name_is_told_without_a_moment_of_absence(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    second = run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    fleet.sent.clear()
    change_container(second, "rename_container", "renamed")
    ((_, names),) = fleet.peers_sent(hosts[0])
    assert names is not None and names[0] == "renamed"
    fleet.catch_up(*hosts)
    assert fleet.peers_sent(hosts[0]) == []


def test_the_last_endpoint_of_a_host_takes_the_network_from_it(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    container = run(hosts[1], "only", network)
    fleet.catch_up(*hosts)
    disconnect(network, container)
    assert Membership.objects.filter(host=hosts[1], removing=False).exists()
    fleet.sent.clear()
    fleet.catch_up(hosts[1])
    ((row,),) = [delta.rows for delta in fleet.sent[hosts[1].name] if not delta.feed]
    assert (row.kind, row.id, row.spec) == ("network", network.pk, None)
    fleet.catch_up(hosts[1])
    assert not Membership.objects.exists()
    # And back again, with all that others know.
    connect(network, container)
    assert Membership.objects.get().host == hosts[1]


def test_a_host_that_leaves_and_comes_back_at_once_keeps_the_network(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    container = run(hosts[1], "only", network)
    fleet.catch_up(*hosts)
    disconnect(network, container)
    connect(network, container)
    fleet.catch_up(hosts[1])
    fleet.catch_up(hosts[1])
    assert not Membership.objects.get().removing
    assert endpoint_of(container).applied


def test_a_gap_is_filled_from_where_the_host_is(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    fleet.catch_up(*hosts)
    for number in range(3):
        run(hosts[1], f"c{number}", network)
        fleet.catch_up(*hosts)
    fleet.sent.clear()
    fleet.report(hosts[0], feeds={network.pk: 2}, gaps=(network.pk,))
    (delta,) = fleet.sent[hosts[0].name]
    assert (delta.feed, delta.base, delta.revision, delta.full) == (network.pk, 2, 4, False)
    assert len(delta.rows) == 2
    assert Membership.objects.get(host=hosts[0]).acked_feed == 2


def test_the_resync_sends_a_lost_last_change_again(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    for host in hosts:
        fleet.report(host, feeds={network.pk: 1 if host.name == "node1" else 2})
    fleet.sent.clear()
    changed = Network.objects.get(pk=network.pk).feed_changed
    assert changed is not None and abs(datetime.now(UTC) - changed) < timedelta(seconds=10)
    tasks.resync()
    assert fleet.peers_sent(hosts[0]) == []  # It may be on its way still.
    Network.objects.filter(pk=network.pk).update(feed_changed=datetime.now(UTC) - timedelta(minutes=1))
    tasks.resync()
    assert [names is not None for _, names in fleet.peers_sent(hosts[0])] == [True]
    assert fleet.peers_sent(hosts[1]) == []


def test_departed_peers_are_forgotten_and_who_missed_them_gets_the_whole_list(
    fleet: Fleet, hosts: list[Host]
) -> None:
    network = make_overlay()
    first = run(hosts[0], "first", network)
    second = run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    change_container(second, "stop_container")
    peers.forget_departed(datetime.now(UTC) + timedelta(seconds=1))
    assert [peer.pk for peer in Peer.objects.all()] == [endpoint_of(first).pk]
    fleet.sent.clear()
    fleet.report(hosts[1], feeds={network.pk: 2}, gaps=(network.pk,))
    (delta,) = fleet.sent[hosts[1].name]
    assert (delta.full, delta.base, delta.revision, len(delta.rows)) == (True, 0, 3, 1)


def test_names_of_a_silent_host_go_after_the_grace_and_come_back_with_it(
    fleet: Fleet, hosts: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    fleet.sent.clear()
    now = [1000.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    watch = silence.Watch()

    def pass_time(seconds: float) -> None:
        """With a look every five seconds; the first host is heard all the time."""
        for _ in range(int(seconds / 5)):
            now[0] += 5
            last_seen = Host.objects.get(pk=hosts[1].pk).last_seen
            assert last_seen is not None
            Host.objects.filter(pk=hosts[1].pk).update(last_seen=last_seen - timedelta(seconds=5))
            watch.look()

    pass_time(20)
    assert not Host.objects.get(pk=hosts[1].pk).offline
    pass_time(10)
    assert Host.objects.get(pk=hosts[1].pk).offline
    assert fleet.peers_sent(hosts[0]) == []
    pass_time(35)
    assert [names for _, names in fleet.peers_sent(hosts[0])] == [()]
    fleet.report(hosts[1])
    ((_, names),) = fleet.peers_sent(hosts[0])
    assert names is not None and names[0] == "second"
    back = Host.objects.get(pk=hosts[1].pk)
    assert not back.offline and not back.hushed


def test_a_server_that_was_away_takes_no_host_for_silent(
    fleet: Fleet, hosts: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    Host.objects.update(last_seen=datetime.now(UTC) - timedelta(hours=1))
    now = [1000.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    watch = silence.Watch()
    for _ in range(3):
        watch.look()
        now[0] += 4
    assert not Host.objects.filter(offline=True).exists()


def test_a_host_that_knows_more_than_the_record_begins_anew(fleet: Fleet, hosts: list[Host]) -> None:
    before = Host.objects.get(pk=hosts[0].pk)
    network = make_overlay()
    run(hosts[0], "first", network)
    fleet.catch_up(*hosts)
    fleet.sent.clear()
    fleet.report(hosts[0], acked=before.revision + 1000)
    after = Host.objects.get(pk=hosts[0].pk)
    assert after.epoch > before.epoch
    # The record is older for all hosts, whichever of them notices.
    assert set(Host.objects.values_list("epoch", flat=True)) == {after.epoch}
    feed, own = fleet.sent[hosts[0].name]
    assert feed.feed == network.pk and feed.full and feed.epoch == after.epoch
    assert own.full and own.epoch == after.epoch


def test_a_report_counts_once(fleet: Fleet, hosts: list[Host]) -> None:
    fleet.report(hosts[0], problems=("one",))
    fleet.report(hosts[0], problems=(), sequence=fleet.sequence)
    assert Host.objects.get(pk=hosts[0].pk).problems == ["one"]
