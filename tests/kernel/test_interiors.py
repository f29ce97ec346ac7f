"""Which sandboxes a look looks into: those that a notice told of, those that are new, and each in its turn."""

import errno
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers.attention import TURNS, Attention
from workers.kernel.interiors import Interiors
from workers.kernel.namespaces import Namespaces
from workers.planning.objects import Objects

NAMES = {"one", "two", "web"}


class Watch:
    """Looks as the agent does."""

    def __init__(self, scene: Scene) -> None:
        self._kernel = scene.kernel
        self._attention = Attention(scene.kernel.listen(), lambda: None)

    def begin(self) -> set[str]:
        return self._attention.begin()

    def look(self) -> tuple[set[str], Objects]:
        """What was not looked into, and what was found."""
        unchanged = self._attention.begin()
        found = self._kernel.observe(unchanged=unchanged)
        self._attention.finish([], NAMES, set())
        return unchanged, found

    def heed(self, touched: set[str]) -> None:
        self._attention.heed(touched, set())


@pytest.fixture
def crowd(scene: Scene) -> Scene:
    net = scene.network(1)
    for host, name in enumerate(sorted(NAMES), 2):
        scene.attach(name, net, host)
        scene.create(made.files(name))
    return scene


@pytest.fixture
def watch(crowd: Scene) -> Watch:
    """One that has looked twice: it has heard of all sandboxes since before it looked into them."""
    watch = Watch(crowd)
    assert watch.look()[0] == watch.look()[0] == set()
    return watch


def test_where_nothing_was_told_of_each_sandbox_is_looked_into_once_in_so_many_looks(
    crowd: Scene, watch: Watch
) -> None:
    skipped = []
    for _ in range(TURNS):
        unchanged, found = watch.look()
        assert found == crowd.wanted
        skipped += sorted(unchanged)
    assert sorted(skipped) == sorted([*NAMES] * (TURNS - 1))


@pytest.mark.parametrize(
    "damage",
    [
        "ip -n web addr add 10.1.0.9/16 dev eth0",
        "ip -n web route del default",
        "ip -n web neigh del 10.1.0.1 dev eth0",
        "ip -n web link set eth0 mtu 1300",
        "sh -c 'echo 10.9.9.9 odd >> /etc/netns/web/hosts'",
        "rm /etc/netns/web/resolv.conf",
    ],
)
def test_what_was_changed_by_something_else_is_looked_into_and_seen(
    crowd: Scene, watch: Watch, damage: str
) -> None:
    run("sh", "-c", damage)
    unchanged, found = watch.look()
    assert "web" not in unchanged
    assert len(unchanged) >= len(NAMES) - 2
    assert found != crowd.wanted


def test_what_we_changed_ourselves_is_looked_into_too(watch: Watch) -> None:
    watch.look()
    watch.heed({"web", "one"})
    assert watch.look()[0] <= {"two"}


def test_what_a_look_that_failed_should_have_seen_the_next_one_sees(crowd: Scene, watch: Watch) -> None:
    run("ip", "-n", "web", "route", "del", "default")
    assert "web" not in watch.begin()
    unchanged, found = watch.look()
    assert "web" not in unchanged
    assert found != crowd.wanted


def test_lost_notices_make_a_look_look_into_everything(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    notices = watch._attention._notices

    class Lossy:
        fileno = notices._route.fileno

        def recvmsg(self, *_: int) -> None:
            monkeypatch.undo()
            raise OSError(errno.ENOBUFS, "lost")

    monkeypatch.setattr(notices, "_route", Lossy())
    assert watch.begin() == set()


@pytest.fixture
def interiors(crowd: Scene) -> Iterator[Interiors]:
    with closing(Namespaces()) as namespaces:
        interiors = Interiors(namespaces)
        interiors.look(set())
        assert interiors.dumped == len(NAMES)
        yield interiors


def test_nothing_is_dumped_where_nothing_changed(interiors: Interiors) -> None:
    before = interiors.look(set(), NAMES)
    assert interiors.dumped == 0
    assert interiors.look(set(), NAMES - {"web"}) == before
    assert interiors.dumped == 1


def test_another_namespace_under_a_known_name_is_looked_into(interiors: Interiors) -> None:
    run("ip", "netns", "delete", "web")
    run("ip", "netns", "add", "web")
    found = interiors.look(set(), NAMES)
    assert interiors.dumped == 1
    assert {interior.sandbox.name for interior in found} == NAMES - {"web"}
    run("ip", "netns", "delete", "web")


def test_a_sandbox_that_was_unknown_is_looked_into_whatever_is_said_of_it(
    crowd: Scene, interiors: Interiors
) -> None:
    crowd.create(made.sandbox("new"))
    interiors.look(set(), NAMES | {"new"})
    assert interiors.dumped == 1
