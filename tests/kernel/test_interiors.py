"""Which sandboxes a look looks into: those that a notice told of, those that are new, and each in its turn."""

import errno
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers import attention
from workers.attention import TURNS, Attention, Interrupted
from workers.kernel.interiors import Interiors
from workers.kernel.namespaces import Namespaces
from workers.planning.objects import Objects

NAMES = {"one", "two", "web"}


class Watch:
    """Looks as the agent does."""

    def __init__(self, scene: Scene) -> None:
        self._kernel = scene.kernel
        self.attention = Attention(scene.kernel.listen(), lambda: None)

    def begin(self) -> set[str]:
        return self.attention.begin()

    def look(self) -> tuple[set[str], Objects]:
        """What was not looked into, and what was found."""
        unchanged = self.attention.begin()
        found = self._kernel.observe(unchanged=unchanged)
        self.attention.finish([], NAMES, set())
        return unchanged, found

    def break_off_before(self, number: int) -> set[str]:
        """Look, but for the sandboxes from that one on; which were looked into."""
        asked = []

        def breathe() -> None:
            asked.append(None)
            if len(asked) == number:
                raise Interrupted

        with pytest.raises(Interrupted):
            self._kernel.observe(unchanged=self.attention.begin(), breathe=breathe)
        seen = set(self._kernel.looked_into)
        self.attention.put_off(seen)
        return seen

    def heed(self, touched: set[str]) -> None:
        self.attention.heed(touched, set())


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


def test_a_look_that_is_broken_off_is_gone_on_with_and_sees_all_the_same(crowd: Scene, watch: Watch) -> None:
    run("ip", "-n", "one", "route", "del", "default")
    run("ip", "-n", "web", "route", "del", "default")
    seen = watch.break_off_before(2)
    assert len(seen) == 1
    run("ip", "-n", "two", "route", "del", "default")
    unchanged, found = watch.look()
    assert unchanged == seen
    assert not [key for key in found if key[0] == "routes"]
    assert set(crowd.wanted) - set(found) == {key for key in crowd.wanted if key[0] == "routes"}


def test_what_is_changed_again_behind_a_look_that_is_broken_off_is_looked_into_again(
    crowd: Scene, watch: Watch
) -> None:
    watch.heed(NAMES)
    assert watch.break_off_before(2) == {"one"}
    run("sh", "-c", "echo 10.9.9.9 odd >> /etc/netns/one/hosts")
    unchanged, found = watch.look()
    assert "one" not in unchanged
    assert {key for key in crowd.wanted if found.get(key) != crowd.wanted[key]} == {made.files("one").key}


def test_a_look_gives_way_after_a_slice_until_it_has_been_put_off_for_long(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(attention.time, "monotonic", lambda: now)
    watch.begin()
    watch.attention.give_way()
    now += attention.SLICE
    with pytest.raises(Interrupted):
        watch.attention.give_way()
    assert watch.attention.put_off(set()) == now + attention.AGAIN
    now += attention.PUT_OFF
    watch.begin()
    now += attention.SLICE
    watch.attention.give_way()


def test_lost_notices_make_a_look_look_into_everything(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    notices = watch.attention._notices

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
        assert interiors.looked_into == NAMES
        yield interiors


def test_nothing_is_dumped_where_nothing_changed(interiors: Interiors) -> None:
    before = interiors.look(set(), NAMES)
    assert interiors.looked_into == set()
    assert interiors.look(set(), NAMES - {"web"}) == before
    assert len(interiors.looked_into) == 1


def test_another_namespace_under_a_known_name_is_looked_into(interiors: Interiors) -> None:
    run("ip", "netns", "delete", "web")
    run("ip", "netns", "add", "web")
    found = interiors.look(set(), NAMES)
    assert len(interiors.looked_into) == 1
    assert {interior.sandbox.name for interior in found} == NAMES - {"web"}
    run("ip", "netns", "delete", "web")


def test_a_sandbox_that_was_unknown_is_looked_into_whatever_is_said_of_it(
    crowd: Scene, interiors: Interiors
) -> None:
    crowd.create(made.sandbox("new"))
    interiors.look(set(), NAMES | {"new"})
    assert len(interiors.looked_into) == 1
