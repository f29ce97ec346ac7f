"""The text of a sandbox's files."""

import pytest

from tests.unit.worker.specs import container, endpoint, network
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
