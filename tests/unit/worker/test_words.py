"""What plans and drift say of each kind of kernel object: names of networks and containers, no ids."""

from collections.abc import Iterable

import msgspec

from tests.unit.worker import specs
from workers.contract.state import Network, Peer, Publish, Resolver, Segment, Spec, Subnet
from workers.planning.desired import Desired
from workers.planning.diff import diff
from workers.planning.objects import Objects
from workers.planning.rehearsal import plan_change, render_all
from workers.planning.render import Surroundings
from workers.planning.words import Known, collect_names, word

HERE = Surroundings(host="node1")
LAB = specs.network("lab", "10.1.0.0/24", "fd00:1::/64")
PORTS = tuple(
    Publish(protocol="tcp", port=80, host_port=8080, address=address) for address in ("", "192.0.2.1")
)
WEB = specs.container("web", "sleep", "9", ports=PORTS, sysctls={"net.ipv4.ip_forward": "1"})
IN_LAB = specs.endpoint(WEB, LAB, "10.1.0.2", ipv6="fd00:1::2", names=("web", "app"), links=("db:store",))
BEFORE: tuple[Spec, ...] = (LAB, WEB, IN_LAB)
FAR = Network(
    id=specs.identify("far"),
    name="far",
    driver="overlay",
    advertise="192.0.2.1",
    mtu=1450,
    segments=tuple(
        Segment(
            vni=vni, bridge=f"ov-{vni}", tunnel=f"vx-{vni}", subnets=(Subnet(cidr=cidr, gateway=gateway),)
        )
        for vni, cidr, gateway in ((4096, "10.8.0.0/24", "10.8.0.1"), (4097, "10.9.0.0/24", "10.9.0.1"))
    ),
)
PEER = Peer(
    id=specs.identify("bob on far"),
    network=FAR.id,
    container=specs.identify("bob"),
    host="node2",
    tunnel="192.0.2.2",
    mac="02:42:0a:08:00:03",
    ipv4="10.8.0.3",
    names=("bob", "cache"),
)


def say(changed: Iterable[Spec], before: Iterable[Spec] = BEFORE) -> set[str]:
    """All lines of the plan that leads from `before` to `changed`."""
    rows, later = [specs.row(spec) for spec in before], [specs.row(spec, 2) for spec in changed]
    known = collect_names([*rows, *later])
    return {word(operation, known) for operation in plan_change(rows, later, HERE)}


def test_each_kind_is_said_with_names() -> None:
    device = f"veth{IN_LAB.id[:7]}"
    assert say(BEFORE, ()) == {
        "create firewall rule that closes network lab to others",
        "create firewall rule that lets containers of network lab reach each other",
        "create firewall rule that masquerades 10.1.0.0/24",
        "create firewall rule that masquerades fd00:1::/64",
        "create firewall rule that closes published port 8080/tcp to internal networks",
        f"create bridge {LAB.device} of network lab: 10.1.0.1/24, fd00:1::1/64",
        "create namespace of container web",
        "create files in /etc of container web",
        "create sysctls of container web: net.ipv4.ip_forward=1",
        f"create port {device} of container web: eth0 with 10.1.0.2/24, fd00:1::2/64",
        "create routes of container web: default by 10.1.0.1 on eth0, default by fd00:1::1 on eth0",
        "create names of container web on network lab: web, app at 10.1.0.2 and fd00:1::2",
        "create name service of container web: for lab; store for db; other names from the servers of the host",
        "create listener at port 0.0.0.0:8080/tcp for container web",
        "create listener at port [::]:8080/tcp for container web",
        "create listener at port 192.0.2.1:8080/tcp for container web",
        "create redirect of port 0.0.0.0:8080/tcp: to 10.1.0.2:80",
        "create redirect of port [::]:8080/tcp: to [fd00:1::2]:80",
        "create redirect of port 192.0.2.1:8080/tcp: to 10.1.0.2:80",
        "create process of container web: sleep 9",
    }


def test_an_overlay_is_said_with_its_parts_and_its_peers() -> None:
    assert say([FAR, PEER]) == {
        "create firewall rule that closes network far (ov-4096) to others",
        "create firewall rule that closes network far (ov-4097) to others",
        "create firewall rule that lets containers of network far (ov-4096) reach each other",
        "create firewall rule that lets containers of network far (ov-4097) reach each other",
        "create firewall rule that lets network far (ov-4096) reach far (ov-4097)",
        "create firewall rule that lets network far (ov-4097) reach far (ov-4096)",
        "create firewall rule that masquerades 10.8.0.0/24",
        "create firewall rule that masquerades 10.9.0.0/24",
        "create bridge ov-4096 of network far: 10.8.0.1/24",
        "create bridge ov-4097 of network far: 10.9.0.1/24",
        "create tunnel vx-4096 of network far: on ov-4096, VNI 4096, from 192.0.2.1",
        "create tunnel vx-4097 of network far: on ov-4097, VNI 4097, from 192.0.2.1",
        "create way to 10.8.0.3 on network far: 02:42:0a:08:00:03 at host 192.0.2.2 by vx-4096",
        "create names of container bob on network far: bob, cache at 10.8.0.3",
    }


def test_a_macvlan_is_said_with_its_parent() -> None:
    lan = specs.network("lan", "192.168.8.0/24", driver="macvlan", device="eno1")
    plain = specs.container("plain")
    on = specs.endpoint(plain, lan, "192.168.8.2", interface="eth0", names=("plain",))
    assert "create interface eth0 of container plain: on eno1 with 192.168.8.2/24" in say(
        [lan, plain, on], ()
    )


def test_a_change_says_what_it_was_before() -> None:
    renamed = msgspec.structs.replace(WEB, name="site")
    said = say([renamed, msgspec.structs.replace(IN_LAB, names=("site", "app"), links=())])
    assert {line for line in said if line.startswith("change name")} == {
        "change namespace of container site: web becomes site",
        "change names of container site on network lab: site, app at 10.1.0.2 and fd00:1::2"
        " (was: web, app at 10.1.0.2 and fd00:1::2)",
        "change name service of container site: for lab; other names from the servers of the host"
        " (was: for lab; store for db; other names from the servers of the host)",
    }
    resolver = msgspec.structs.replace(WEB, resolver=Resolver(search=("example.org",)))
    assert say([resolver]) == {"change files in /etc of container web: resolv.conf"}


def test_what_nothing_is_known_of_is_called_by_its_device_or_the_begin_of_its_id() -> None:
    found: Objects = render_all([specs.row(spec) for spec in BEFORE], HERE)
    said = {word(operation, Known(Desired())) for operation in diff({}, found)}
    assert f"remove firewall rule that closes network {LAB.device} to others" in said
    assert f"remove namespace of container {WEB.id[:12]}" in said
    assert (
        "remove names of container web on network " + LAB.id[:12] + ": web, app at 10.1.0.2 and fd00:1::2"
        in said
    )
