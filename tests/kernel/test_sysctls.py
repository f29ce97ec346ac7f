"""Kernel settings of a sandbox that a person asked for."""

from pathlib import Path

import pytest

from tests.kernel.scene import Scene, identity, run, sandbox
from workers.kernel.errors import KernelError
from workers.planning.objects import Sysctls


def sysctls(name: str, **values: str) -> Sysctls:
    pairs = tuple(sorted((key.replace("__", "."), value) for key, value in values.items()))
    return Sysctls(container=identity(name), sandbox=name, values=pairs)


def test_they_are_the_sandboxes_own_and_seen_when_changed(scene: Scene) -> None:
    hosts = Path("/proc/sys/net/ipv4/icmp_ratemask").read_text()
    wanted = sysctls("one", net__ipv4__icmp_ratemask="17", net__ipv4__ping_group_range="0 5")
    scene.create(sandbox("one"), sandbox("two"), wanted)
    assert run("ip", "netns", "exec", "one", "sysctl", "-n", "net.ipv4.icmp_ratemask") == "17\n"
    assert Path("/proc/sys/net/ipv4/icmp_ratemask").read_text() == hosts
    assert scene.kernel.observe([wanted]) == scene.wanted
    run("ip", "netns", "exec", "one", "sysctl", "-qw", "net.ipv4.icmp_ratemask=1")
    found = scene.kernel.observe([wanted])[wanted.key]
    assert isinstance(found, Sysctls) and dict(found.values)["net.ipv4.icmp_ratemask"] == "1"
    scene.kernel.change(found, wanted)
    assert scene.kernel.observe([wanted]) == scene.wanted


def test_by_default_settings_count_for_interfaces_that_are_made_after(scene: Scene) -> None:
    net = scene.network(1)
    scene.create(sandbox("one"), sysctls("one", net__ipv4__conf__default__log_martians="1"))
    scene.attach("one", net, 2)
    assert run("ip", "netns", "exec", "one", "sysctl", "-n", "net.ipv4.conf.eth0.log_martians") == "1\n"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("net.ipv4.nosuch", "1", "The sysctl net.ipv4.nosuch of the container cannot be set"),
        ("net.ipv4.icmp_ratemask", "many", "cannot be set to 'many'"),
        ("net.ipv4.icmp_ratemask", "0x11", "the kernel made '17'"),
        ("net.netfilter.nf_conntrack_max", "1", "cannot be set"),
        ("net.ipv4.route.flush", "1", "cannot be"),
        ("net.ipv4/../../kernel/hostname", "x", "not the name of a sysctl"),
        ("net.ipv4...kernel.hostname", "x", "not the name of a sysctl"),
        ("kernel.hostname", "x", "not the name of a sysctl"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(scene: Scene, name: str, value: str, sentence: str) -> None:
    scene.create(sandbox("one"))
    with pytest.raises(KernelError, match=sentence):
        scene.kernel.create(Sysctls(container=identity("one"), sandbox="one", values=((name, value),)))
