"""What becomes of overlays when a host moves or goes."""

from django.db import transaction

from apps.containers.models import Container
from apps.delivery import sender, tasks
from apps.delivery.changes import carry_out, carry_out_on_all
from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.ipam.models import Address
from apps.networks.models import Network, Peer
from apps.networks.services import hosts as services
from apps.networks.services import overlays
from tests.server.overlay.conftest import Fleet
from tests.server.overlay.scene import ASKED, endpoint_of, make_overlay, run
from workers.contract import state


def test_a_host_that_moves_takes_its_tunnels_along(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    fleet.sent.clear()
    carry_out(ASKED, hosts[1], lambda locked: services.move_host(locked, "192.168.5.99"), wait=False)
    (delta,) = fleet.sent["node1"]
    (peer,) = [row.spec for row in delta.rows]
    assert isinstance(peer, state.Peer) and peer.tunnel == "192.168.5.99"
    networks = [row.spec for each in fleet.sent["node2"] if not each.feed for row in each.rows]
    assert [spec.advertise for spec in networks if isinstance(spec, state.Network)] == ["192.168.5.99"]


def test_a_host_that_is_forgotten_leaves_nothing_behind(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[0], "first", network)
    second = run(hosts[1], "second", network)
    endpoint = endpoint_of(second).pk
    fleet.catch_up(*hosts)
    assert services.list_remains(hosts[1]) == ["container second"]
    fleet.sent.clear()
    with transaction.atomic():
        services.forget_host(hosts[1], sender.spread)
        Host.objects.get(pk=hosts[1].pk).delete()
    assert fleet.peers_sent(hosts[0]) == [(endpoint, None)]
    assert not Network.objects.filter(host__name="node2").exists()
    assert not Address.objects.filter(holder=endpoint).exists()
    # Those who were away meanwhile hear of it all the same.
    assert Peer.objects.get(pk=endpoint).gone


def test_an_overlay_that_waits_for_a_forgotten_host_goes_too(fleet: Fleet, hosts: list[Host]) -> None:
    network = make_overlay()
    run(hosts[1], "second", network)
    fleet.catch_up(*hosts)
    Container.objects.update(wanted="stopped", state="exited")
    carry_out_on_all(ASKED, lambda: (network, overlays.remove_overlay(network)), wait=False)
    with transaction.atomic():
        services.forget_host(hosts[1], sender.spread)
    tasks.forget_departed()
    assert not Network.objects.filter(pk=network.pk).exists()
    assert Operation.objects.filter(subject_id=network.pk, host=None).latest("at").outcome == "done"
