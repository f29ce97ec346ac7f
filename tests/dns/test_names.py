"""What dig sees inside sandboxes: names, links, networks, addresses, types."""

from collections.abc import Callable

import pytest

from tests.dns.host import NameServer, container_id, dig, holder, view
from tests.dns.upstream import Upstream
from workers.contract.state import Link

MakeSandbox = Callable[[str], str]

HOLDERS = (
    holder("c1", "app", ipv4="10.1.0.2", order=1),
    holder("c2", "app", ipv4="10.1.0.3", order=2),
    holder("c3", "app", network="b", ipv4="10.2.0.2", ipv6="fd00:2::2"),
    holder("six", network="a", ipv6="fd00:1::6"),
    holder("far", network="c", ipv4="10.3.0.2"),
)


@pytest.fixture
def asker(server: NameServer, sandbox: MakeSandbox, upstream: Upstream) -> str:
    """A sandbox on networks a and b with links on a."""
    links = (
        Link(target="c1", alias="db"),
        Link(target=container_id("c2"), alias="byid"),
        Link(target="gone", alias="c3"),
        Link(target="later", alias="soon"),
        Link(target="c1", alias="c2"),
    )
    name = sandbox("asker")
    assert server.client.update([*HOLDERS, view(name, "a", "b", links=links)], []) == {}
    return name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("c1", ["10.1.0.2"]),
        ("C1.", ["10.1.0.2"]),
        ("app", ["10.1.0.2", "10.1.0.3"]),
        ("APP.Net-A", ["10.1.0.2", "10.1.0.3"]),
        ("app.net-b", ["10.2.0.2"]),
        ("db", ["10.1.0.2"]),
        ("db.net-a", ["10.1.0.2"]),
        ("byid", ["10.1.0.3"]),
        # The link of that name has no target, so network a is passed over and b answers.
        ("c3", ["10.2.0.2"]),
        # A link alias goes before another container's name.
        ("c2", ["10.1.0.2"]),
        (container_id("c2")[:12], ["10.1.0.3"]),
    ],
)
def test_a_name_is_answered_by_the_first_network_that_knows_it(
    asker: str, name: str, values: list[str]
) -> None:
    reply = dig(asker, name)
    assert (reply.status, reply.flags, reply.values) == ("NOERROR", ("qr", "rd", "ra"), values)
    assert all(answer.startswith(f"{name.rstrip('.')}. 0 A ") for answer in reply.answers)


@pytest.mark.parametrize(("name", "kind"), [("c1", "AAAA"), ("six", "A"), ("c1", "MX"), ("c1", "HTTPS")])
def test_a_known_name_without_such_records_is_an_empty_noerror_and_not_forwarded(
    asker: str, upstream: Upstream, name: str, kind: str
) -> None:
    reply = dig(asker, name, kind)
    assert (reply.status, reply.answers, upstream.seen) == ("NOERROR", (), [])


def test_ipv6_addresses_are_answered(asker: str) -> None:
    assert dig(asker, "six", "AAAA").values == ["fd00:1::6"]


@pytest.mark.parametrize(
    ("address", "name"),
    [("10.1.0.2", "c1.net-a."), ("10.2.0.2", "c3.net-b."), ("fd00:2::2", "c3.net-b.")],
)
def test_an_address_is_answered_by_first_name_and_network(asker: str, address: str, name: str) -> None:
    reply = dig(asker, "-x", address)
    assert (reply.status, reply.values) == ("NOERROR", [name])


@pytest.mark.parametrize(
    "arguments",
    [("far",), ("far.net-c",), ("soon",), ("nosuch",), ("-x", "10.3.0.2"), ("-x", "198.51.100.1")],
)
def test_what_the_asker_cannot_see_is_asked_outside(
    asker: str, upstream: Upstream, arguments: tuple[str, ...]
) -> None:
    assert dig(asker, *arguments).status == "NXDOMAIN"
    assert len(upstream.seen) == 1


def test_a_link_answers_as_soon_as_its_target_exists(asker: str, server: NameServer) -> None:
    assert dig(asker, "soon").status == "NXDOMAIN"
    server.client.update([holder("later", ipv4="10.1.0.9")], [])
    assert dig(asker, "soon").values == ["10.1.0.9"]
    server.client.update([], [("holder", "a-later")])
    assert dig(asker, "soon").status == "NXDOMAIN"


def test_two_sandboxes_see_different_things(
    server: NameServer, sandbox: MakeSandbox, upstream: Upstream
) -> None:
    one, two = sandbox("one"), sandbox("two")
    links = (Link(target="c1", alias="mine"),)
    server.client.update([*HOLDERS, view(one, "a", links=links), view(two, "b")], [])
    assert dig(one, "app").values == ["10.1.0.2", "10.1.0.3"]
    assert dig(two, "app").values == ["10.2.0.2"]
    assert dig(one, "mine").values == ["10.1.0.2"]
    assert dig(two, "mine").status == "NXDOMAIN"


def test_networks_are_asked_in_the_order_of_the_view(
    asker: str, server: NameServer, upstream: Upstream
) -> None:
    server.client.update([view(asker, "b", "a")], [])
    assert dig(asker, "app").values == ["10.2.0.2"]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("c1", "A", ("name", "a", "net-a", ["A 10.1.0.2"], "NOERROR")),
        ("app.net-b", "AAAA", ("alias", "b", "net-b", ["AAAA fd00:2::2"], "NOERROR")),
        ("db", "a", ("link", "a", "net-a", ["A 10.1.0.2"], "NOERROR")),
        ("2.0.1.10.in-addr.arpa", "PTR", ("reverse", "a", "net-a", ["PTR c1.net-a."], "NOERROR")),
        ("www.example.test", "A", ("forwarded", None, None, ["A 203.0.113.9"], "NOERROR")),
        ("nosuch", "A", ("forwarded", None, None, [], "NXDOMAIN")),
    ],
)
def test_explain_tells_answer_and_step(
    asker: str, server: NameServer, name: str, kind: str, expected: tuple[object, ...]
) -> None:
    told = server.client.explain(container_id(asker), name, kind)
    assert tuple(told[key] for key in ("step", "network", "network_name", "answers", "rcode")) == expected


def test_explain_tells_that_outside_names_are_refused_on_internal_networks(
    server: NameServer, sandbox: MakeSandbox
) -> None:
    name = sandbox("closed")
    server.client.update([view(name, "a", forward=False)], [])
    told = server.client.explain(container_id(name), "www.example.test")
    assert (told["step"], told["rcode"]) == ("refused", "SERVFAIL")
