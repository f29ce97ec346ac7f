"""What a sandbox is answered, as a table: two networks, some holders, one asker with links."""

import ipaddress

import pytest

from workers.contract.names import Attachment, Holder, View
from workers.contract.state import Link
from workers.dns.lookup import ANY, PTR, A, Answer, Record, Scope, Zones, encode_name, unreverse

AAAA = 28
MX = 15
HTTPS = 65
WEB1, WEB2, DB, ELSEWHERE = "1" * 64, "2" * 64, "3" * 64, "4" * 64

HOLDERS = (
    Holder(
        endpoint="w2",
        container=WEB2,
        network="a",
        names=("web2", "app", "c1.b", "2" * 12),
        ipv4="10.1.0.3",
        order=2,
    ),
    Holder(
        endpoint="w1",
        container=WEB1,
        network="a",
        names=("Web1", "app", "1" * 12, "web1"),
        ipv4="10.1.0.2",
        order=1,
    ),
    Holder(
        endpoint="d1",
        container=DB,
        network="b",
        names=("db", "app", "a.b", "3" * 12),
        ipv4="10.2.0.2",
        ipv6="fd00:2::2",
    ),
    Holder(endpoint="six", container="6" * 64, network="a", names=("six",), ipv6="fd00:1::6"),
    Holder(endpoint="bare", container="5" * 64, network="a", names=("bare",)),
    Holder(endpoint="far", container=ELSEWHERE, network="c", names=("far",), ipv4="10.3.0.2"),
    Holder(endpoint="long", container="7" * 64, network="a", names=("x" * 64, "short"), ipv4="10.1.0.7"),
    Holder(endpoint="dot", container="8" * 64, network="x.y", names=("dotted",), ipv4="10.4.0.2"),
)
LINKS = (
    Link(target="WEB1", alias="Ln"),
    Link(target=WEB2, alias="byid"),
    Link(target="1" * 12, alias="short"),
    Link(target="app", alias="both"),
    Link(target="gone", alias="db"),
    Link(target="web1", alias="web2"),
    Link(target="gone", alias="six"),
    Link(target="gone", alias="twice"),
    Link(target="web2", alias="twice"),
)
VIEW = View(
    container="asker",
    sandbox="asker",
    attachments=(
        Attachment(network="a", network_name="Alpha", links=LINKS),
        Attachment(network="b", network_name="b"),
        Attachment(network="x.y", network_name="x.y"),
    ),
)


def scope_of(view: View, *holders: Holder) -> tuple[Zones, Scope]:
    zones = Zones()
    for holder in holders:
        zones.put_holder(Record(holder))
    return zones, zones.put_view(view)


def ask(scope: Scope, name: str, kind: int = A) -> Answer | None:
    return scope.resolve(tuple(label.encode().lower() for label in name.split(".")), kind)


def addresses(answer: Answer) -> list[str]:
    return [str(ipaddress.ip_address(data)) for _, data in answer.records]


@pytest.mark.parametrize(
    ("name", "step", "network", "expected"),
    [
        ("web1", "name", "a", ["10.1.0.2"]),
        ("WEB1", "name", "a", ["10.1.0.2"]),
        ("111111111111", "name", "a", ["10.1.0.2"]),
        ("app", "alias", "a", ["10.1.0.2", "10.1.0.3"]),
        ("app.alpha", "alias", "a", ["10.1.0.2", "10.1.0.3"]),
        ("app.ALPHA", "alias", "a", ["10.1.0.2", "10.1.0.3"]),
        ("app.b", "alias", "b", ["10.2.0.2"]),
        ("dotted.x.y", "name", "x.y", ["10.4.0.2"]),
        ("ln", "link", "a", ["10.1.0.2"]),
        ("ln.alpha", "link", "a", ["10.1.0.2"]),
        ("byid", "link", "a", ["10.1.0.3"]),
        ("both", "link", "a", ["10.1.0.2", "10.1.0.3"]),
        ("web2", "link", "a", ["10.1.0.2"]),
        ("twice", "link", "a", ["10.1.0.3"]),
        ("bare", "name", "a", []),
    ],
)
def test_the_first_network_that_knows_a_name_answers(
    name: str, step: str, network: str, expected: list[str]
) -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    answer = ask(scope, name)
    assert answer is not None
    assert (answer.step, answer.attachment.network, addresses(answer)) == (step, network, expected)


@pytest.mark.parametrize(
    "name",
    [
        "far",
        "far.c",
        "app.c",
        "nosuch",
        "web1.b",
        "alpha",
        "six",
        "twelve.1.2",
        "web1.alpha.b",
        "111111111112",
        "",
    ],
)
def test_what_is_on_no_network_of_the_asker_is_unknown(name: str) -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    assert ask(scope, name) is None


def test_a_link_without_target_hides_the_plain_name_there_but_not_on_the_next_network() -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    answer = ask(scope, "db")
    assert answer is not None
    assert (answer.step, answer.attachment.network) == ("name", "b")
    assert ask(scope, "db.alpha") is None


def test_a_full_text_on_a_later_network_comes_before_name_dot_network() -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    # Network b holds the name "a.b", network a the name "c1.b".
    answer = ask(scope, "a.b")
    assert answer is not None
    assert addresses(answer) == ["10.2.0.2"]
    answer = ask(scope, "c1.b")
    assert answer is not None
    assert addresses(answer) == ["10.1.0.3"]


def test_the_longer_name_on_the_shorter_network_comes_before_the_shorter_name() -> None:
    view = View(
        container="v",
        sandbox="v",
        attachments=(Attachment(network="1", network_name="b.c"), Attachment(network="2", network_name="c")),
    )
    long = Holder(endpoint="l", container="l", network="2", names=("a.b",), ipv4="10.0.0.1")
    short = Holder(endpoint="s", container="s", network="1", names=("a",), ipv4="10.0.0.2")
    _, scope = scope_of(view, long, short)
    answer = ask(scope, "a.b.c")
    assert answer is not None
    assert addresses(answer) == ["10.0.0.1"]
    _, scope = scope_of(view, short)
    answer = ask(scope, "a.b.c")
    assert answer is not None
    assert addresses(answer) == ["10.0.0.2"]


def test_links_belong_to_the_asker_and_its_network() -> None:
    other = View(container="o", sandbox="o", attachments=(Attachment(network="a", network_name="alpha"),))
    _, scope = scope_of(other, *HOLDERS)
    assert ask(scope, "ln") is None
    answer = ask(scope, "web2")
    assert answer is not None
    assert addresses(answer) == ["10.1.0.3"]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("web1", AAAA, []),
        ("app.b", AAAA, ["fd00:2::2"]),
        ("six.alpha", A, None),
        ("app.b", MX, []),
        ("app.b", HTTPS, []),
        ("app.b", ANY, ["10.2.0.2", "fd00:2::2"]),
    ],
)
def test_a_known_name_has_addresses_and_nothing_else(
    name: str, kind: int, expected: list[str] | None
) -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    answer = ask(scope, name, kind)
    assert (answer and addresses(answer)) == expected


def test_an_ipv6_only_name_asked_for_a_is_known_and_empty() -> None:
    view = View(container="v", sandbox="v", attachments=(Attachment(network="a", network_name="a"),))
    _, scope = scope_of(view, *HOLDERS)
    answer = ask(scope, "six", A)
    assert answer is not None
    assert answer.records == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2.0.1.10.in-addr.arpa", b"\x04Web1\x05Alpha\0"),
        ("2.0.2.10.IN-ADDR.ARPA", b"\x02db\x01b\0"),
        (ipaddress.ip_address("fd00:2::2").reverse_pointer, b"\x02db\x01b\0"),
        ("2.0.4.10.in-addr.arpa", b"\x06dotted\x01x\x01y\0"),
        # The first name is longer than a label may be: the next one speaks for it.
        ("7.0.1.10.in-addr.arpa", b"\x05short\x05Alpha\0"),
    ],
)
def test_an_address_is_answered_by_first_name_and_network(name: str, expected: bytes) -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    answer = ask(scope, name, PTR)
    assert answer is not None
    assert (answer.step, answer.records) == ("reverse", ((PTR, expected),))
    empty = ask(scope, name, A)
    assert empty is not None
    assert empty.records == ()


@pytest.mark.parametrize(
    "name",
    [
        "2.0.3.10.in-addr.arpa",
        "9.0.1.10.in-addr.arpa",
        "2.0.1.10.in-addr",
        "0.1.10.in-addr.arpa",
        "in-addr.arpa",
    ],
)
def test_an_address_on_no_network_of_the_asker_is_unknown(name: str) -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    assert ask(scope, name, PTR) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4.3.2.1.in-addr.arpa", bytes((1, 2, 3, 4))),
        ("04.3.2.1.in-addr.arpa", None),
        ("256.3.2.1.in-addr.arpa", None),
        ("é.3.2.1.in-addr.arpa", None),
        ("b.a." + "0." * 30 + "ip6.arpa", bytes(15) + b"\xab"),
        ("xx." + "0." * 31 + "ip6.arpa", None),
        ("g." + "0." * 31 + "ip6.arpa", None),
    ],
)
def test_reverse_names_are_read_strictly(name: str, expected: bytes | None) -> None:
    assert unreverse(tuple(label.encode() for label in name.split("."))) == expected


def test_a_dot_inside_a_label_is_not_a_dot_between_labels() -> None:
    _, scope = scope_of(VIEW, *HOLDERS)
    assert scope.resolve((b"a.b",), A) is None


def test_the_next_holder_takes_over_and_the_first_comes_back_first() -> None:
    zones, scope = scope_of(VIEW, *HOLDERS)
    zones.drop_holder("w1")
    answer = ask(scope, "app")
    assert answer is not None
    assert addresses(answer) == ["10.1.0.3"]
    assert ask(scope, "ln") is None
    zones.put_holder(Record(HOLDERS[1]))
    answer = ask(scope, "app")
    assert answer is not None
    assert addresses(answer) == ["10.1.0.2", "10.1.0.3"]


def test_a_changed_holder_loses_its_former_names_and_address() -> None:
    zones, scope = scope_of(VIEW, *HOLDERS)
    zones.put_holder(
        Record(Holder(endpoint="w1", container=WEB1, network="a", names=("new",), ipv4="10.1.0.9"))
    )
    assert ask(scope, "web1") is None
    assert ask(scope, "2.0.1.10.in-addr.arpa", PTR) is None
    answer = ask(scope, "new")
    assert answer is not None
    assert addresses(answer) == ["10.1.0.9"]


def test_only_changes_on_a_network_in_scope_are_noticed() -> None:
    zones, scope = scope_of(VIEW, *HOLDERS)
    before = scope.stamp()
    zones.drop_holder("far")
    assert scope.stamp() == before
    zones.drop_holder("d1")
    assert scope.stamp() != before


def test_nothing_is_left_of_dropped_holders_and_views() -> None:
    zones, _ = scope_of(VIEW, *HOLDERS)
    for holder in HOLDERS:
        zones.drop_holder(holder.endpoint)
    zones.drop_view("asker")
    assert (zones.records, zones.scopes, zones._zones) == ({}, {}, {})


def test_a_view_shown_again_keeps_seeing_changes() -> None:
    zones, _ = scope_of(VIEW)
    scope = zones.put_view(VIEW)
    for holder in HOLDERS:
        zones.put_holder(Record(holder))
    assert ask(scope, "web1") is not None


@pytest.mark.parametrize("address", ["10.0.0.1/24", "fd00::1", "x"])
def test_an_address_that_is_none_is_refused_with_a_sentence(address: str) -> None:
    with pytest.raises(
        ValueError, match=r"of endpoint e is no IPv4 address; send it without prefix length\."
    ):
        Record(Holder(endpoint="e", container="c", network="n", names=("x",), ipv4=address))


@pytest.mark.parametrize("text", ["", "a..b", "x" * 64, ".".join(["x" * 63] * 4), "." * 300])
def test_what_dns_cannot_carry_has_no_wire_form(text: str) -> None:
    assert encode_name(text.encode()) is None
