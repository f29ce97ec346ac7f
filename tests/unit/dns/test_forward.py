"""Which servers the host's file names."""

import pytest

from workers.dns.forward import parse_servers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nameserver 1.1.1.1\n; nameserver 1.1.1.1\nnameserver\nsearch x\n", []),
        ("nameserver 10.0.0.1\nnameserver\t10.0.0.2 # two\noptions ndots:0\n", ["10.0.0.1", "10.0.0.2"]),
        ("nameserver not-an-address\nnameserver 127.0.0.53\n", ["127.0.0.53"]),
        ("nameserver fd00::1\nnameserver fe80::1%lo\n", ["fd00::1", "fe80::1%lo"]),
        (
            "".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 6)),
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        ),
    ],
)
def test_the_first_three_servers_of_resolv_conf_are_asked(text: str, expected: list[str]) -> None:
    assert [address[0] for _, address in parse_servers(text)] == [entry.split("%")[0] for entry in expected]
