"""Three hosts, two overlays: who reaches whom, by which names, and what crosses the underlay."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fleet import Fleet, await_true, sniffing

HOSTS = ("node1", "node2", "node3")
NETWORKS = ("red", "blue")


def name_of(network: str, host: str, number: int) -> str:
    return f"{network}-{host[-1]}-{number}"


@pytest.fixture(scope="module")
def crowd(fleet: Fleet) -> Iterator[dict[str, tuple[str, str]]]:
    """Two containers of each network on each host: (host, address) by name."""
    for network in NETWORKS:
        fleet.product.do(f"network create -d overlay {network}")
    where: dict[str, tuple[str, str]] = {}
    for network, host, number in itertools.product(NETWORKS, HOSTS, (1, 2)):
        name = name_of(network, host, number)
        fleet.product.do(f"run -d --name={name} --net={network} --host {host}")
        where[name] = (host, "")
    for network in NETWORKS:
        for name, address in fleet.product.addresses_on(network).items():
            where[name] = (where[name][0], address.split("/")[0])
    # What was made last is on its way to the other hosts still.
    last = name_of("blue", "node3", 2)
    await_true(
        lambda: all(fleet.address_of(host, name_of("blue", host, 1), last) for host in HOSTS[:2]),
        f"{last} is known everywhere",
    )
    yield where


def test_all_pairs_of_a_network_reach_each_other_and_none_across(
    fleet: Fleet, crowd: dict[str, tuple[str, str]]
) -> None:
    def check(pair: tuple[str, str]) -> None:
        one, other = pair
        host, (_, address) = crowd[one][0], crowd[other]
        if one.split("-")[0] == other.split("-")[0]:
            assert fleet.ping(host, one, other), pair
            assert fleet.address_of(host, one, other) == address
        elif one.endswith("1") and other.endswith("1"):
            assert not fleet.ping(host, one, address), pair
            assert fleet.address_of(host, one, other) == ""

    with sniffing(fleet) as sniffer:
        # What does not answer is waited for, so several at a time.
        with ThreadPoolExecutor(8) as askers:
            list(askers.map(check, itertools.permutations(crowd, 2)))
        # An address that nobody has: asked for, and not one frame of it on the underlay.
        assert not fleet.ping("node1", "red-1-1", "10.0.0.250")
        holders = {
            f"02:42:{bytes(map(int, address.split('.'))).hex(':')}": fleet.machines[host].address
            for host, address in crowd.values()
        }
        frames = list(sniffer.frames())
    assert len(frames) > 100
    for _, far_end, destination, kind in frames:
        assert kind == 0x0800, "ARP or another broadcast protocol has crossed"
        assert holders[destination] == far_end, "a frame went where its MAC is not"


def test_a_shared_alias_is_taken_over_across_hosts(fleet: Fleet, crowd: dict[str, tuple[str, str]]) -> None:
    do = fleet.product.do
    for number, host in enumerate(HOSTS, 1):
        do(f"run -d --name=db{number} --host {host} sleep 1000")
        do(f"network connect --alias=db red db{number}")
    addresses = [fleet.product.addresses_on("red")[f"db{number}"].split("/")[0] for number in (1, 2, 3)]

    def first_answer(asker: str, host: str) -> str:
        return fleet.address_of(host, asker, "db")

    await_true(lambda: first_answer("red-3-1", "node3") == addresses[0], "the first holder answers on node3")
    do("network disconnect red db1")
    await_true(lambda: first_answer("red-3-1", "node3") == addresses[1], "the second takes over", 2)
    pid = fleet.machines["node2"].run("ip", "netns", "pids", "db2").split()[0]
    fleet.machines["node2"].run("kill", "-9", pid)
    await_true(lambda: first_answer("red-1-1", "node1") == addresses[2], "the third takes over", 2)
    do("stop db3")
    await_true(lambda: first_answer("red-1-1", "node1") == "", "nobody answers", 2)
    do("network connect --alias=db red db1")
    await_true(lambda: first_answer("red-2-1", "node2") == addresses[0], "the first one is back", 2)
    do("rm -f db1 db2 db3")


def test_a_link_names_a_container_on_another_host(fleet: Fleet, crowd: dict[str, tuple[str, str]]) -> None:
    fleet.product.do("run -d --name=linker --host node2")
    fleet.product.do("network connect --link red-3-1:backend red linker")
    assert fleet.address_of("node2", "linker", "backend") == crowd["red-3-1"][1]
    assert fleet.address_of("node2", "red-2-1", "backend") == ""
    fleet.product.do("rm -f linker")


def test_the_mtu_passes_the_underlay_and_more_is_refused_at_home(
    fleet: Fleet, crowd: dict[str, tuple[str, str]]
) -> None:
    def send(size: int) -> tuple[int, str]:
        command = f"ping -n -c1 -W1 -M do -s {size} red-2-1"
        done = fleet.inside("node1", "red-1-1", *command.split())
        return done.returncode, done.stdout + done.stderr

    assert send(1422)[0] == 0
    code, said = send(1423)
    assert code != 0 and "mtu=1450" in said


def test_the_way_out_is_by_the_own_host_and_internal_has_none(
    fleet: Fleet, crowd: dict[str, tuple[str, str]]
) -> None:
    # 192.168.5.1 knows no way back to 10.0.0.0/8: it answers only to the host's own address.
    assert fleet.ping("node2", "red-2-1", "192.168.5.1")
    fleet.product.do("network create -d overlay --internal closed")
    for host in ("node2", "node3"):
        fleet.product.do(f"run -d --name=closed-{host} --net=closed --host {host}")
    await_true(lambda: fleet.ping("node2", "closed-node2", "closed-node3"), "they reach each other", 5)
    assert not fleet.ping("node2", "closed-node2", "192.168.5.1")
    fleet.product.do("rm -f closed-node2 closed-node3")
    fleet.product.do("network rm closed")


def test_a_container_that_moves_is_reached_at_once_and_leaves_nothing_stale(
    fleet: Fleet, crowd: dict[str, tuple[str, str]]
) -> None:
    do = fleet.product.do
    do("run -d --name=nomad --net=red --ip=10.0.0.200 --host node2")
    await_true(lambda: fleet.ping("node1", "red-1-1", "nomad"), "it is reached on node2", 5)
    do("rm -f nomad")
    do("run -d --name=nomad --net=red --ip=10.0.0.200 --host node3")
    await_true(lambda: fleet.ping("node1", "red-1-1", "nomad"), "it is reached on node3", 2)
    assert fleet.ping("node2", "red-2-1", "10.0.0.200")
    mac = "02:42:0a:00:00:c8"
    for host in ("node1", "node2"):
        assert {end for found, end in fleet.forwarding(host) if found == mac} == {"192.168.5.13"}
    assert mac not in {found for found, _ in fleet.forwarding("node3")}
    do("rm -f nomad")
    for host in HOSTS:
        await_true(lambda: mac not in {m for m, _ in fleet.forwarding(host)}, f"{host} has forgotten it", 5)  # noqa: B023


def test_local_networks_of_one_name_and_subnet_are_two(fleet: Fleet) -> None:
    for host in ("node2", "node3"):
        fleet.product.do(f"network create --subnet 172.30.0.0/16 --host {host} twin")
        fleet.product.do(f"run -d --name=twin-{host} --net=twin --host {host}")
    assert not fleet.ping("node2", "twin-node2", "twin-node3")
    assert [fleet.inside(h, f"twin-{h}", "hostname", "-I").returncode for h in ("node2", "node3")] == [0, 0]
    lines = fleet.product.do("network ls --filter name=twin").splitlines()
    assert [line.split()[-1] for line in lines] == ["HOST", "node2", "node3"]
    for host in ("node2", "node3"):
        fleet.product.do(f"rm -f twin-{host}")
        fleet.product.do(f"network rm --host {host} twin")


def test_two_subnets_of_one_network_span_hosts(fleet: Fleet) -> None:
    do = fleet.product.do
    line = (
        "network create -d overlay "
        "--subnet=192.168.0.0/16 --subnet=192.170.0.0/16 "
        "--gateway=192.168.0.100 --gateway=192.170.0.100 "
        "--ip-range=192.168.1.0/24 "
        "--aux-address a=192.168.1.5 --aux-address b=192.168.1.6 "
        "--aux-address a=192.170.1.5 --aux-address b=192.170.1.6 "
        "my-multihost-network"
    )
    do(line)
    config = fleet.product.inspect_network("my-multihost-network")["IPAM"]["Config"]
    assert [(one["Subnet"], one["Gateway"]) for one in config] == [
        ("192.168.0.0/16", "192.168.0.100"),
        ("192.170.0.0/16", "192.170.0.100"),
    ]
    do("run -d --name=m1 --net=my-multihost-network --host node2")
    do("run -d --name=m2 --net=my-multihost-network --ip=192.170.0.9 --host node3")
    assert fleet.product.addresses_on("my-multihost-network") == {
        "m1": "192.168.1.0/16",
        "m2": "192.170.0.9/16",
    }
    await_true(lambda: fleet.ping("node2", "m1", "m2"), "m1 reaches m2 in the other subnet", 5)
    assert fleet.ping("node3", "m2", "m1")
    do("rm -f m1 m2")
    do("network rm my-multihost-network")


def test_a_fourth_host_sees_old_peers(fleet: Fleet, crowd: dict[str, tuple[str, str]]) -> None:
    fleet.join(fleet.add_machine(4))
    fleet.product.do("run -d --name=late --net=red --host node4")
    # A name that nobody knows is asked for outside, in vain, so all at a time.
    with ThreadPoolExecutor(len(crowd)) as askers:
        reached = dict(
            zip(crowd, askers.map(lambda other: fleet.ping("node4", "late", other, 4), crowd), strict=True)
        )
    assert reached == {other: other.startswith("red") for other in crowd}
    assert fleet.ping("node1", "red-1-1", "late")
    fleet.product.do("rm -f late")
