"""The text of a sandbox's files."""

import pytest

from tests.unit.worker.specs import container, endpoint, network
from workers.contract.state import Resolver
from workers.planning.etc import LOCALHOST, hosts, resolv_conf


@pytest.mark.parametrize(
    ("of_host", "served", "expected"),
    [
        ("nameserver 192.0.2.1\n", True, "nameserver 127.0.0.11\noptions ndots:0\n"),
        ("", True, "nameserver 127.0.0.11\noptions ndots:0\n"),
        (
            "# made by hand\nsearch example.net\nnameserver 192.0.2.1\noptions ndots:2 rotate\n",
            True,
            "nameserver 127.0.0.11\nsearch example.net\noptions ndots:2 rotate\n",
        ),
        (
            "nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1\nsearch a b\n",
            False,
            "nameserver 192.0.2.1\nsearch a b\n",
        ),
        ("nameserver 127.0.0.53\n; no other\n", False, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        ("nameserver fe80::1%eth0\nnameserver nonsense\n", False, "nameserver fe80::1%eth0\n"),
    ],
)
def test_resolv_conf(of_host: str, served: bool, expected: str) -> None:
    assert resolv_conf(of_host, served=served) == expected


def test_hosts_has_own_addresses_in_order_of_connection_and_links_first() -> None:
    own, target = container("own"), container("db")
    front, back = network("front", "10.1.0.0/24"), network("back", "10.2.0.0/24")
    later = endpoint(own, front, "10.1.0.2", ipv6="fd00::2", order=2)
    earlier = endpoint(own, back, "10.2.0.2", order=1)
    text = hosts(own, [later, earlier], [("10.9.0.2", "store", target), ("10.9.0.3", "db", target)])
    assert text == LOCALHOST + (
        f"10.9.0.2\tstore {target.hostname} db\n"
        f"10.9.0.3\tdb {target.hostname}\n"
        f"10.2.0.2\t{own.hostname}\n"
        f"10.1.0.2\t{own.hostname}\n"
        f"fd00::2\t{own.hostname}\n"
    )


@pytest.mark.parametrize(
    ("wanted", "served", "expected"),
    [
        (
            Resolver(servers=("192.0.2.53",), search=("a", "b"), options=("timeout:1",)),
            False,
            "nameserver 192.0.2.53\nsearch a b\noptions timeout:1\n",
        ),
        (
            Resolver(servers=("192.0.2.53",), options=("timeout:1",)),
            True,
            "nameserver 127.0.0.11\nsearch x\noptions timeout:1 ndots:0\n",
        ),
        (Resolver(search=(".",)), False, "nameserver 192.0.2.1\noptions rotate\n"),
    ],
)
def test_what_is_asked_for_takes_the_place_of_the_hosts_lines(
    wanted: Resolver, served: bool, expected: str
) -> None:
    of_host = "nameserver 192.0.2.1\nsearch x\noptions rotate\n"
    assert resolv_conf(of_host, served=served, wanted=wanted) == expected


def test_extra_hosts_may_be_the_host_itself() -> None:
    own = container("own", extra_hosts=("db:192.0.2.7", "six:2001:db8::7", "up:host-gateway"))
    text = hosts(own, [], [], "10.1.0.1")
    assert text == LOCALHOST + "192.0.2.7\tdb\n2001:db8::7\tsix\n10.1.0.1\tup\n"
    assert "up" not in hosts(own, [], [])
