"""How many requests one change makes of the kernel, and that it is the same however many endpoints there are.

Counts, not times: a request more, or a dump on the way of a change, is seen before a clock would show it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene
from workers.kernel.netlink import NLM_F_DUMP, Channel

FEW, MANY = 2, 40


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Exchanges with the kernel: `writes` (however many requests they carry), `reads` of one object, `dumps`."""
    counts: Counter[str] = Counter()
    carry_out, ask = Channel.carry_out, Channel.ask

    def count_write(channel: Channel, *requests: object) -> None:
        counts["writes"] += 1
        carry_out(channel, *requests)  # type: ignore[arg-type]

    def count_read(
        channel: Channel, kind: int, body: bytes, answer: int, flags: int = 0
    ) -> Iterator[tuple[bytes, int, int]]:
        counts["dumps" if flags & NLM_F_DUMP else "reads"] += 1
        return ask(channel, kind, body, answer, flags)

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "carry_out", count_write)
        patch.setattr(Channel, "ask", count_read)
        yield counts


def cost(scene: Scene, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> dict[str, int]:
    # The thread that deletes what is leaving writes once for many; it is not on the way of the change.
    scene.kernel._departures.wait()
    monkeypatch.setattr(scene.kernel._departures, "begin", lambda: None)
    with counted(monkeypatch) as counts:
        work()
    monkeypatch.undo()
    scene.kernel._departures.begin()
    return dict(counts)


def test_a_connect_and_a_disconnect_ask_the_same_of_the_kernel_with_few_and_many_endpoints(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = scene.network(1)
    scene.create(made.sandbox("guest"))
    port, routes = made.port("guest", net, 200), made.routes("guest", net)
    for size in (FEW, MANY):
        for number in range(len(scene.wanted), len(scene.wanted) + size):
            scene.attach(f"c{number}", net, number)
        connected = cost(scene, monkeypatch, lambda: scene.kernel.create(port))
        # Awaiting that the port forwards reads its link, once where the kernel is not busy.
        assert connected.pop("reads") <= 8
        assert connected == {"writes": 4}
        assert cost(scene, monkeypatch, lambda: scene.kernel.create(routes)) == {
            "writes": 1,
            "reads": 2,
            "dumps": 1,  # Of the sandbox's own routes.
        }
        assert cost(scene, monkeypatch, lambda: scene.kernel.remove(port)) == {"writes": 1, "reads": 1}


def test_a_network_costs_the_same_with_few_and_many_endpoints(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, brief = scene.network(1), made.bridge(2)
    for size in (FEW, MANY):
        for number in range(len(scene.wanted), len(scene.wanted) + size):
            scene.attach(f"c{number}", net, number)
        # The dump is of the new bridge's own addresses.
        assert cost(scene, monkeypatch, lambda: scene.kernel.create(brief)) == {
            "writes": 2,
            "reads": 2,
            "dumps": 1,
        }
        assert cost(scene, monkeypatch, lambda: scene.kernel.remove(brief)) == {"writes": 1, "reads": 1}


def test_a_sandbox_costs_the_same_with_few_and_many_endpoints(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, sandbox = scene.network(1), made.sandbox("guest")
    for size in (FEW, MANY):
        for number in range(len(scene.wanted), len(scene.wanted) + size):
            scene.attach(f"c{number}", net, number)
        assert cost(scene, monkeypatch, lambda: scene.kernel.create(sandbox)) == {"writes": 1}
        assert cost(scene, monkeypatch, lambda: scene.kernel.remove(sandbox)) == {"reads": 1}


def test_the_facts_of_a_host_cost_the_same_with_few_and_many_endpoints(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = scene.network(1)
    for size in (FEW, MANY):
        for number in range(len(scene.wanted), len(scene.wanted) + size):
            scene.attach(f"c{number}", net, number)
        scene.kernel.foreign_routes()
        # Dumps of routes and of addresses, of which ports have none; no list of links.
        assert cost(scene, monkeypatch, scene.kernel.foreign_routes) == {"dumps": 1}
        assert cost(scene, monkeypatch, scene.kernel.underlays) == {"dumps": 1}
