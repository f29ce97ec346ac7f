"""What a published port means on its host."""

import pytest

from tests.unit.worker.specs import container, endpoint, network
from workers.contract.state import Network, Publish
from workers.planning.desired import Desired
from workers.planning.diff import diff
from workers.planning.objects import Element, Listener, Objects, Redirect
from workers.planning.render import Surroundings, render

FOUR, SIX = network("four", "10.1.0.0/24"), network("six", "10.2.0.0/24", "fd00:2::/64")


def rendered(net: Network, address: str = "", *, host_port: int = 8080, **options: object) -> Objects:
    port = Publish(protocol="tcp", port=80, host_port=host_port, address=address)
    web = container("web", "serve", ports=(port,), **options)
    addresses = {"four": ("10.1.0.2", None), "six": ("10.2.0.2", "fd00:2::2")}[net.name]
    desired = Desired([net, web, endpoint(web, net, addresses[0], ipv6=addresses[1])])
    return render(desired, ("container", web.id), Surroundings())


def meaning(objects: Objects) -> list[str]:
    found = []
    for item in objects.values():
        if isinstance(item, Redirect):
            found.append(f"{item.map} {item.match} > {item.target}")
        elif isinstance(item, Listener):
            found.append(f"hold {item.key[1]} > {item.binding.target}")
        elif isinstance(item, Element):
            found.append(f"{item.set} {item.value}")
    return sorted(found)


@pytest.mark.parametrize(
    ("net", "address", "expected"),
    [
        (
            FOUR,
            "",
            [
                "all4 tcp . 8080 > 10.1.0.2 . 80",
                "hold tcp 0.0.0.0 8080 > 10.1.0.2",
                "hold tcp :: 8080 > 10.1.0.2",
                "relayed tcp . 8080",
            ],
        ),
        (
            SIX,
            "",
            [
                "all4 tcp . 8080 > 10.2.0.2 . 80",
                "all6 tcp . 8080 > fd00:2::2 . 80",
                "hold tcp 0.0.0.0 8080 > 10.2.0.2",
                "hold tcp :: 8080 > fd00:2::2",
                "relayed tcp . 8080",
            ],
        ),
        (FOUR, "127.0.0.1", ["hold tcp 127.0.0.1 8080 > 10.1.0.2"]),
        (
            FOUR,
            "192.0.2.1",
            [
                "hold tcp 192.0.2.1 8080 > 10.1.0.2",
                "one4 192.0.2.1 . tcp . 8080 > 10.1.0.2 . 80",
                "relayed tcp . 8080",
            ],
        ),
    ],
)
def test_a_port_is_held_and_redirected_where_the_firewall_can(
    net: Network, address: str, expected: list[str]
) -> None:
    assert meaning(rendered(net, address)) == expected


def test_what_does_not_run_or_has_the_hosts_network_publishes_nothing() -> None:
    assert rendered(FOUR, running=False) == {}
    assert meaning(rendered(FOUR, host_network=True)) == []


def test_one_port_more_is_its_own_operations_and_the_port_is_held_first() -> None:
    operations = [f"{op.verb} {op.key[0]}" for op in diff(rendered(FOUR), {}) if op.key[0] != "element"]
    assert operations.index("create redirect") > operations.index("create listener")
    assert operations.index("create process") > operations.index("create redirect")
    moved = diff(rendered(FOUR, host_port=8081), rendered(FOUR))
    assert {op.key[0] for op in moved} == {"element", "listener", "redirect"}
    removed = [op.key[0] for op in moved if op.verb == "remove"]
    assert removed == ["redirect", "listener", "listener", "element"]
