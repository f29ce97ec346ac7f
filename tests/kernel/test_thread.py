"""The edge lives in one thread, which is at home between calls or does not go on."""

import os
import threading
from collections.abc import Callable

import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene
from workers.kernel.edge import Kernel
from workers.kernel.errors import Stranded
from workers.kernel.namespaces import Namespaces


def in_thread(work: Callable[[], object]) -> object:
    """The result of a call in a thread of its own."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def current() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_a_thread_of_its_own_can_do_everything_and_stays_home(kernel: Kernel) -> None:
    home = current()

    def work() -> tuple[bool, str]:
        own = Kernel()
        scene = Scene(own)
        net = scene.network(1, ipv6=True)
        scene.attach("web", net, 2)
        equal = own.observe() == scene.wanted
        own.close()
        return equal, current()

    assert in_thread(work) == (True, home)
    assert current() == home


def test_a_failure_inside_a_sandbox_brings_the_thread_home(scene: Scene) -> None:
    home = current()
    scene.create(made.sandbox("web"))
    namespaces = Namespaces()
    with (
        pytest.raises(RuntimeError),
        namespaces.opened("web") as descriptor,
        namespaces.inside(descriptor),
    ):
        assert current() != home
        raise RuntimeError
    namespaces.close()
    assert current() == home


def test_a_thread_that_cannot_come_home_does_not_go_on(scene: Scene) -> None:
    scene.create(made.sandbox("web"))

    def work() -> type[BaseException] | None:
        namespaces = Namespaces()
        try:
            with namespaces.opened("web") as descriptor, namespaces.inside(descriptor):
                namespaces.close()
        except SystemExit as error:
            return type(error)
        return None

    assert in_thread(work) is Stranded


def test_the_edge_keeps_no_descriptor_per_object(scene: Scene) -> None:
    net = scene.network(1)
    scene.attach("c2", net, 2)
    scene.kernel.observe()
    before = len(os.listdir("/proc/self/fd"))
    for host in range(3, 13):
        scene.attach(f"c{host}", net, host)
    scene.kernel.observe()
    assert len(os.listdir("/proc/self/fd")) == before
