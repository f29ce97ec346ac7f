"""What a dry run finds for the other hosts of an overlay."""

import pytest

from apps.common.errors import Conflict
from apps.containers.models import Container
from apps.delivery.changes import Change, carry_out
from apps.delivery.joining import remove_host
from apps.delivery.models import Operation
from apps.delivery.rehearsals import Rehearsed
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network, Peer
from apps.networks.services import endpoints, lifecycle
from apps.networks.services.attachments import Wish
from tests.server.overlay.conftest import Fleet
from tests.server.overlay.scene import endpoint_of, make_overlay, run
from workers.contract.state import Row

REHEARSAL = Change(actor=None, action="test", rehearsal=True)


def told_by(rehearsed: pytest.ExceptionInfo[Rehearsed]) -> dict[str, list[Row]]:
    return {host.name: list(rows) for host, rows in rehearsed.value.told.items()}


def test_those_who_are_on_it_would_hear_of_a_new_one_and_it_of_them(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    first = run(hosts[0], "first", network)
    fleet.catch_up(hosts[0])
    before = (Operation.objects.count(), Endpoint.objects.count(), Network.objects.get(pk=network.pk).feed)
    fleet.sent.clear()

    def work(locked: Host) -> Container:
        return lifecycle.create_container(locked, name="second", attachments=[(network, Wish())], start=True)

    with pytest.raises(Rehearsed) as rehearsed:
        carry_out(REHEARSAL, hosts[1], work)
    told = told_by(rehearsed)
    assert set(told) == {"node1", "node2"}
    (peer,) = told["node1"]
    assert peer.kind == "peer" and getattr(peer.spec, "tunnel", "") == "192.168.5.12"
    assert next((row.kind, row.id) for row in told["node2"]) == ("peer", endpoint_of(first).pk)
    assert {row.kind for row in told["node2"]} == {"peer", "network", "container", "endpoint"}
    after = (Operation.objects.count(), Endpoint.objects.count(), Network.objects.get(pk=network.pk).feed)
    assert after == before
    assert not fleet.sent


def test_those_who_are_on_it_would_hear_of_one_that_goes(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    first, _ = run(hosts[0], "first", network), run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    with pytest.raises(Rehearsed) as rehearsed:
        carry_out(REHEARSAL, hosts[0], lambda locked: endpoints.disconnect(locked, network, first))
    told = told_by(rehearsed)
    assert [(row.id, row.spec) for row in told["node2"]] == [(endpoint_of(first).pk, None)]
    assert ("endpoint", endpoint_of(first).pk) in [(row.kind, row.id) for row in told["node1"]]
    assert not Peer.objects.get(pk=endpoint_of(first).pk).gone


def test_a_host_that_is_removed_would_become_empty_and_the_others_hear_of_it(
    fleet: Fleet, hosts: list[Host]
) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    second = run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    with pytest.raises(Conflict, match="still has container second"):
        remove_host(REHEARSAL, hosts[1], force=False)
    with pytest.raises(Rehearsed) as rehearsed:
        remove_host(REHEARSAL, hosts[1], force=True)
    told = told_by(rehearsed)
    assert [(row.id, row.spec) for row in told["node1"]] == [(endpoint_of(second).pk, None)]
    gone = {(row.kind, row.id) for row in told["node2"] if row.spec is None}
    assert {("container", second.pk), ("network", network.pk), ("endpoint", endpoint_of(second).pk)} <= gone
    assert Host.objects.filter(pk=hosts[1].pk).exists() and not Peer.objects.filter(gone=True).exists()
