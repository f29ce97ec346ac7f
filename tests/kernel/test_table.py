"""One table of ours, of constant text, with elements that come and go in transactions."""

import pytest

from tests.kernel.scene import run
from workers.kernel import table
from workers.kernel.edge import Kernel, KernelError
from workers.kernel.nftables import Ruleset
from workers.planning.objects import Element, KernelObject, Redirect

BRIDGE = Element(set="bridges", value='"br-0a1b"')
PAIR = Element(set="same", value='"br-0a1b" . "br-0a1b"')
WIDE = Element(set="masquerade4", value="10.0.0.0/16")
NARROW = Element(set="masquerade4", value="10.0.0.0/24")
NEXT = Element(set="masquerade4", value="10.1.0.0/16")


def keyed(*found: KernelObject) -> dict[tuple[str, str], KernelObject]:
    return {element.key: element for element in found}


def test_ensuring_it_again_changes_nothing(kernel: Kernel) -> None:
    kernel.apply_elements([BRIDGE, PAIR], [])
    before = run("nft", "-a", "list", "ruleset")
    kernel.ensure_table()
    assert run("nft", "-a", "list", "ruleset") == before


def test_a_table_of_another_version_is_replaced_and_keeps_its_elements(kernel: Kernel) -> None:
    kernel.apply_elements([BRIDGE, PAIR, WIDE], [])
    expected = run("nft", "list", "ruleset")
    run("nft", "delete", "chain", "inet", "netadmin", table.VERSION_CHAIN)
    run("nft", "add", "chain", "inet", "netadmin", "text_of_old")
    run("nft", "add", "set", "inet", "netadmin", "former", "{ type ifname; elements = { lo }; }")
    kernel.ensure_table()
    assert run("nft", "list", "ruleset") == expected


def test_a_lost_table_comes_back(kernel: Kernel) -> None:
    run("nft", "delete", "table", "inet", "netadmin")
    assert kernel.observe() == {}
    kernel.ensure_table()
    kernel.create(BRIDGE)
    assert kernel.observe() == keyed(BRIDGE)


def test_a_refused_transaction_changes_nothing(kernel: Kernel) -> None:
    kernel.apply_elements([WIDE], [])
    with pytest.raises(KernelError, match="The firewall refused a change"):
        kernel.apply_elements([BRIDGE, NARROW], [])
    assert kernel.observe() == keyed(WIDE)


def test_a_subnet_gives_way_to_an_overlapping_one_in_one_call(kernel: Kernel) -> None:
    kernel.apply_elements([NARROW, NEXT], [])
    kernel.apply_elements([WIDE], [NARROW])
    assert kernel.observe() == keyed(WIDE, NEXT)
    kernel.apply_elements([NARROW], [WIDE, NARROW])
    assert kernel.observe() == keyed(NARROW, NEXT)


def test_adding_what_is_there_and_removing_what_is_gone_is_harmless(kernel: Kernel) -> None:
    kernel.apply_elements([BRIDGE, WIDE], [])
    kernel.apply_elements([BRIDGE, WIDE], [PAIR, NEXT])
    assert kernel.observe() == keyed(BRIDGE, WIDE)


@pytest.mark.parametrize(
    "element",
    [
        Element(set="bridges", value='"a" }; flush ruleset; #'),
        Element(set="bridges", value='"a"\n'),
        Element(set="bridges", value="br-0a1b"),
        Element(set="nothing", value='"a"'),
        Element(set="links", value='"br-0a1b" . 10.0.0.1'),
        Element(set="masquerade4", value="10.0.0.0/8, 11.0.0.0/8"),
        Redirect(map="all4", match="tcp . 80 : 10.0.0.2 . 80, tcp . 81", target="10.0.0.3 . 80"),
        Redirect(map="all4", match="tcp . 80", target="10.0.0.2"),
    ],
)
def test_nothing_but_the_one_form_enters_a_rule(kernel: Kernel, element: Element | Redirect) -> None:
    before = run("nft", "list", "ruleset")
    with pytest.raises(KernelError, match="The firewall has no set"):
        kernel.create(element)
    assert run("nft", "list", "ruleset") == before


def test_every_element_is_listed_as_it_was_written(kernel: Kernel) -> None:
    wanted = [
        *(Element(set="bridges", value=f'"br-{index:012x}"') for index in range(50)),
        *(Element(set="internal", value=f'"br-{index:012x}"') for index in range(50)),
        *(Element(set="masquerade4", value=f"10.{index}.0.0/16") for index in range(50)),
        *(Element(set="masquerade6", value=f"fd00:{index:x}::/64") for index in range(1, 50)),
        *(Element(set="links", value=f'"br-1" . 10.0.0.{index} . 10.0.0.254') for index in range(50)),
        Element(set="same", value='"br-2" . "br-3"'),
        Element(set="relayed", value="udp . 53"),
        Redirect(map="all4", match="tcp . 8080", target="10.0.0.2 . 80"),
        Redirect(map="all6", match="udp . 53", target="fd00:1::2 . 53"),
        Redirect(map="one4", match="192.0.2.1 . tcp . 8080", target="10.0.0.2 . 80"),
        Redirect(map="one6", match="2001:db8::1 . udp . 53", target="fd00:1::2 . 53"),
    ]
    kernel.apply_elements(wanted, [])
    ruleset = Ruleset()
    found = ruleset.entries()
    ruleset.close()
    assert sorted(found, key=lambda element: element.key) == sorted(wanted, key=lambda element: element.key)
