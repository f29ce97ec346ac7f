"""Our narrow look says what pyroute2's full one says."""

import socket
import subprocess
from typing import Any

from pyroute2 import IPRoute

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers.kernel.dump import AddressRow, LinkRow, Look, NeighbourRow, RouteRow
from workers.kernel.namespaces import Namespaces


def expected_links(route: IPRoute) -> list[LinkRow]:
    return [
        LinkRow(
            ifindex=message["index"],
            name=message.get("ifname"),
            mac=message.get("address") or "",
            mtu=message.get("mtu"),
            master=message.get("master") or 0,
            peer=message.get("link") or 0,
            alias=message.get("ifalias") or "",
            group=message.get("group"),
            kind=message.get(("linkinfo", "kind")) or "",
            filtered=bool(message.get(("linkinfo", "data", "br_nf_call_iptables"))),
            operational=message.get("operstate") == "UP",
            up=bool(message["flags"] & 1),
            ipv6=has_ipv6(message),
            answering=bool(message.get(("linkinfo", "slave_data", "proxyarp_wifi"))),
        )
        for message in route.get_links()
    ]


def has_ipv6(message: Any) -> bool:
    conf = message.get(("af_spec", "af_inet6", "inet6_conf"))
    return conf is not None and not conf["disable_ipv6"]


def expected_route(message: Any) -> RouteRow:
    return RouteRow(
        family=message["family"],
        destination=f"{message.get('dst')}/{message['dst_len']}" if message.get("dst") else "",
        gateway=message.get("gateway") or "",
        ifindex=message.get("oif") or 0,
        metric=message.get("priority") or 0,
    )


def expected_routes(route: IPRoute) -> list[RouteRow]:
    messages = [*route.get_routes(family=socket.AF_INET), *route.get_routes(family=socket.AF_INET6)]
    return [
        expected_route(message) for message in messages if message["table"] == 254 and message["type"] == 1
    ]


def expected_neighbours(route: IPRoute) -> list[NeighbourRow]:
    return [
        NeighbourRow(message["ifindex"], message.get("dst"), message.get("lladdr"))
        for message in route.get_neighbours()
        if message["state"] & 0x80
    ]


def assert_same_view() -> None:
    with IPRoute() as route, Look() as look:
        assert sorted(look.links()) == sorted(expected_links(route))
        assert sorted(look.addresses()) == sorted(
            AddressRow(
                message["index"], f"{message.get('local') or message.get('address')}/{message['prefixlen']}"
            )
            for message in route.get_addr()
        )
        assert sorted(look.routes()) == sorted(expected_routes(route))
        assert sorted(look.neighbours()) == sorted(expected_neighbours(route))
        for link in look.links():
            assert look.link(link.name) == link
        assert look.link("none") is None


def test_both_see_the_same_on_the_host_and_in_a_sandbox(scene: Scene, outside: str) -> None:
    net, closed = scene.network(1, ipv6=True), scene.network(2, icc=False)
    scene.attach("a", net, 2)
    scene.attach("b", closed, 2)
    run("ip", "route", "add", "198.51.100.0/24", "via", "203.0.113.2", "metric", "7")
    run("ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789")
    assert_same_view()
    namespaces = Namespaces()
    with namespaces.opened("a") as descriptor, namespaces.inside(descriptor):
        assert_same_view()
    namespaces.close()
    run("ip", "link", "delete", "vx0")


def test_a_look_at_many_links_is_complete(scene: Scene) -> None:
    net = made.bridge(1)
    scene.create(net)
    batch = "".join(f"link add v{number} type veth peer name w{number}\n" for number in range(200))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
    with Look() as look:
        names = {link.name for link in look.links()}
    batch = "".join(f"link set v{number} group 77\n" for number in range(200)) + "link delete group 77\n"
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
    assert names == {"lo", net.device} | {f"{end}{number}" for end in "vw" for number in range(200)}


def test_a_list_that_is_asked_for_again_tells_what_has_changed(scene: Scene) -> None:
    scene.network(1)
    with Look() as look:
        for device, mtu in (("br-000000000001", 1400), ("lo", 1300)):
            before = {link.name: link for link in look.links()}
            run("ip", "link", "set", device, "mtu", str(mtu))
            after = {link.name: link for link in look.links()}
            assert after.pop(device) == before.pop(device)._replace(mtu=mtu)
            assert after == before
        run("ip", "address", "add", "10.9.9.9/24", "dev", "br-000000000001")
        assert "10.9.9.9/24" in {row.address for row in look.addresses()}
        run("ip", "address", "delete", "10.9.9.9/24", "dev", "br-000000000001")
        assert "10.9.9.9/24" not in {row.address for row in look.addresses()}
    run("ip", "link", "set", "lo", "mtu", "65536")
