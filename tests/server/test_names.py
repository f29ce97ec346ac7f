"""What people call things ends in paths, device names, rule sets and /etc/hosts, and may mean nothing else there."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.common.errors import DomainError
from apps.containers import services as containers
from apps.hosts import services as hosts
from apps.networks import rules
from workers.kernel.errors import KernelError
from workers.kernel.markers import check_device, check_namespace

WORDS = st.text(max_size=20) | st.from_regex(r"[a-zA-Z0-9_.:/-]{1,20}[\s\S]?", fullmatch=True)
PLAIN = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]+")
"""No space, quote, slash, brace, line end or letter beyond ASCII; never `.` or `..`."""


class Taken(Exception):
    """The rule of the form has let the name through; what comes then asks the database."""


class Nothing:
    """In place of a table."""

    def filter(self, **_: Any) -> Any:
        raise Taken

    create = filter


def device_of(key: str, read: Callable[..., Any], field: str) -> Callable[[str], str]:
    return lambda text: str(getattr(read({key: text}), field))


def name_container(text: str) -> str:
    containers.check_name(SimpleNamespace(name="node1"), text)  # type: ignore[arg-type]
    return text


def name_host(text: str) -> str:
    hosts.add(text, None)
    return text


def checked(check: Callable[..., Any], *more: str) -> Callable[[str], str]:
    def name(text: str) -> str:
        check(text, *more)
        return text

    return name


LONGEST: dict[str, tuple[Callable[[str], str], int]] = {
    "network": (checked(rules.check_network_name), 128),
    "alias": (checked(rules.check_dns_name, "aliases"), 63),
    "container": (name_container, 63),
    "host": (name_host, 63),
    "target of a link": (lambda text: rules.read_link(text)[0], 64),
    "bridge": (device_of(rules.BRIDGE_NAME, lambda o: rules.read_bridge_options("0" * 64, o), "device"), 15),
    "parent": (device_of(rules.PARENT, rules.read_macvlan_options, "parent"), 15),
    "device on a host": (checked(check_device), 15),
    "sandbox on a host": (checked(check_namespace), 255),
}


@pytest.fixture(autouse=True)
def no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers.Container, "objects", Nothing())
    monkeypatch.setattr(hosts.Host, "objects", Nothing())


@pytest.mark.parametrize("kind", LONGEST)
def test_what_is_taken_as_a_name_is_nothing_else_wherever_it_ends(kind: str) -> None:
    name, longest = LONGEST[kind]

    @given(WORDS)
    @example("web")
    @example("web\n")
    @example("../etc")
    @example("..")
    @example("a;reboot")
    @example("$(id)")
    @example('a" accept')
    @example("a}")
    @example("a\0")
    @example("ä")
    @example("x" * 300)
    def hold(text: str) -> None:
        taken = text
        try:
            taken = name(text)
        except Taken:
            pass
        except (DomainError, KernelError):
            assert text != "web"
            return
        assert PLAIN.fullmatch(taken) and len(taken) <= longest, taken

    hold()


NUMBERS = st.text(max_size=6) | st.integers(-1, 70000).map(str)


@given(NUMBERS)
@example("1500\n")
@example("٣٠٠٠")
def test_an_mtu_is_a_number_before_it_goes_anywhere(text: str) -> None:
    try:
        options = rules.read_bridge_options("0" * 64, {rules.MTU: text})
    except DomainError:
        return
    assert options.mtu == int(text) and 0 <= options.mtu <= 65535


ADDRESSES = st.text(max_size=20) | st.ip_addresses().map(str) | st.text(max_size=9).map("fe80::1%".__add__)


@given(ADDRESSES, st.sampled_from((4, 6)))
@example("fe80::1%eth0;", 6)
def test_an_address_is_spelled_by_us_before_it_goes_anywhere(text: str, family: int) -> None:
    try:
        address = rules.parse_address(text, family, "address")
    except DomainError:
        return
    assert re.fullmatch(r"[0-9a-f.:]+", address), address


@pytest.mark.parametrize("kind", ["dns", "extra_hosts", "advertise"])
def test_an_address_of_a_container_or_host_is_one_word(kind: str) -> None:
    @given(ADDRESSES)
    @example("fe80::1%\nnameserver 192.0.2.1")
    @example("fe80::1%eth0")
    @example("10.0.0.1")
    def hold(text: str) -> None:
        try:
            if kind == "advertise":
                hosts.check_advertise(hosts.Host(name="node1"), text)
            else:
                line = f"web:{text}" if kind == "extra_hosts" else text
                containers._check_details({kind: [line]}, host_network=False)  # type: ignore[typeddict-item, misc]
        except Taken:
            pass
        except DomainError:
            assert text != "10.0.0.1"
            return
        assert re.fullmatch(r"[0-9A-Fa-f.:]*(%[A-Za-z0-9_.:-]+)?", text), text
        assert kind != "advertise" or "%" not in text

    hold()


def check_detail(field: str, make: Callable[[str], Any]) -> Callable[[str], None]:
    def check(text: str) -> None:
        containers._check_details({field: make(text)}, host_network=False)  # type: ignore[misc]

    return check


def name_inside(text: str) -> None:
    with patch.object(containers, "check_name"):
        containers.create(SimpleNamespace(name="node1", revision=0), name="c", hostname=text)  # type: ignore[arg-type]


def name_variable(text: str) -> None:
    with patch.object(containers, "check_name"):
        containers.create(SimpleNamespace(name="node1", revision=0), name="c", env={text: "1"})  # type: ignore[arg-type]


WORD = r"[A-Za-z0-9_.:-]+"
SETTINGS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "hostname": (name_inside, "web-1", r"[A-Za-z0-9-]*"),
    "variable": (name_variable, "PATH_1", r"[A-Za-z0-9_]+"),
    "working directory": (
        lambda text: containers.check_place("0" * 64, "", text),
        "/srv/own data",
        r"(/[^\x00-\x1f\x7f-\x9f\u2028-\u202e]*)?",
    ),
    "search domain": (check_detail("dns_search", lambda text: [text]), "lan.example", WORD),
    "option of the resolver": (check_detail("dns_options", lambda text: [text]), "ndots:2", WORD),
    "name in the hosts file": (
        check_detail("extra_hosts", lambda text: [f"{text}:host-gateway"]),
        "db.example",
        WORD,
    ),
    "sysctl": (
        check_detail("sysctls", lambda text: {text: "1"}),
        "net.ipv4.ip_forward",
        r"net(\.[A-Za-z0-9_-]+)+",
    ),
    "value of a sysctl": (
        check_detail("sysctls", lambda text: {"net.ipv4.ip_forward": text}),
        "1 2",
        r"[\t -~]+",
    ),
    "user": (lambda text: containers.check_place("0" * 64, text, ""), "1000:users", rf"({WORD})?"),
    "numbers of segments": (
        lambda text: rules.read_overlay_options({rules.VNIS: text}),
        "4097,4098",
        r"[0-9,]+",
    ),
    "switch": (
        lambda text: rules.read_bridge_options("0" * 64, {rules.ENABLE_ICC: text}),
        "true",
        r"[a-zA-Z01]+",
    ),
    "address of published ports": (
        lambda text: rules.read_bridge_options("0" * 64, {rules.HOST_BINDING: text}),
        "127.0.0.1",
        r"[0-9.]+",
    ),
    "mode of a macvlan": (
        lambda text: rules.read_macvlan_options({rules.PARENT: "eth0", rules.MACVLAN_MODE: text}),
        "bridge",
        r"bridge",
    ),
}


def takes(check: Callable[[str], Any], text: str) -> bool:
    try:
        check(text)
    except Taken:
        pass
    except DomainError:
        return False
    return True


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_value_of_a_setting_is_one_plain_piece_of_a_line(kind: str) -> None:
    check, usual, plain = SETTINGS[kind]
    assert takes(check, usual)
    for odd in ("\n", "\r", "\0", "/../x", "/x", ";", '"', "{", "\u202e", "\x1b"):
        for text in (usual + odd, odd + usual, usual[:3] + odd + usual[3:]):
            assert not takes(check, text) or re.fullmatch(plain, text), text

    @given(WORDS)
    @example("net.ipv4.ip_forward")
    @example("net.ipv4.conf.all/../../../kernel.core_pattern")
    @example("net..ipv4")
    @example("a\nnameserver 192.0.2.1")
    @example("1\n")
    @example("1;2")
    @example("../..")
    @example("a b")
    @example("true")
    @example("ä")
    @example("a\0")
    def hold(text: str) -> None:
        assert not takes(check, text) or re.fullmatch(plain, text), text

    hold()
