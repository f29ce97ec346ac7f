"""A kernel in a dictionary: it carries out operations one by one and refuses what a real one would refuse."""

from typing import TypeVar

from msgspec.structs import replace

from workers.contract.names import Holder
from workers.planning.diff import Operation
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Name,
    Objects,
    Port,
    Process,
    Routes,
    Sandbox,
)

T = TypeVar("T", bound=KernelObject)


class StandIn:
    def __init__(self, objects: Objects) -> None:
        self.objects = dict(objects)

    def apply(self, operation: Operation) -> None:
        """Raises AssertionError where the operation comes at the wrong time."""
        before, after = operation.before, operation.after
        if before is not None:
            assert self.objects.get(before.key) == before, f"{before} is not there"
        if operation.verb == "remove":
            assert before is not None
            self._remove(before)
        elif operation.verb == "create":
            assert after is not None and after.key not in self.objects, f"{after} is there already"
            self._create(after)
        else:
            assert before is not None and after is not None
            self._change(before, after)

    def _all(self, kind: type[T]) -> list[T]:
        return [item for item in self.objects.values() if isinstance(item, kind)]

    def _sandbox(self, container: str, name: str) -> None:
        found = self.objects.get(("sandbox", container))
        assert isinstance(found, Sandbox) and found.name == name, f"the sandbox {name} is not there"

    def _create(self, item: KernelObject) -> None:
        match item:
            case Bridge():
                assert item.device not in {bridge.device for bridge in self._all(Bridge)}
            case Sandbox():
                assert item.name not in {sandbox.name for sandbox in self._all(Sandbox)}, "the name is taken"
            case Port():
                self._sandbox(item.container, item.sandbox)
                assert item.bridge in {bridge.device for bridge in self._all(Bridge)}
                for other in self._all(Port):
                    assert (other.container, other.interface) != (item.container, item.interface)
                    assert other.bridge != item.bridge or not set(other.addresses) & set(item.addresses)
            case Files():
                self._sandbox(item.container, item.sandbox)
            case Routes():
                self._check_routes(item)
            case Name():
                self._check_name(item)
            case Process():
                if item.sandbox:
                    self._sandbox(item.container, item.sandbox)
            case Element():
                pass
        self.objects[item.key] = item

    def _check_routes(self, item: Routes) -> None:
        self._sandbox(item.container, item.sandbox)
        interfaces = {port.interface for port in self._all(Port) if port.container == item.container}
        assert {route[1] for route in (item.ipv4, item.ipv6) if route} <= interfaces

    def _check_name(self, item: Name) -> None:
        entry = item.entry
        if isinstance(entry, Holder):
            assert ("port", entry.endpoint) in self.objects
        else:
            self._sandbox(entry.container, entry.sandbox)

    def _change(self, before: KernelObject, after: KernelObject) -> None:
        match before, after:
            case Sandbox(), Sandbox():
                assert before.incarnation == after.incarnation, "a namespace is as old as it is"
                assert after.name not in {sandbox.name for sandbox in self._all(Sandbox)}, "the name is taken"
                self._move(after)
            case Port(), Port():
                assert replace(before, gateways=after.gateways) == after, (
                    "a veth pair is not changed in place"
                )
            case Bridge(), Bridge():
                assert before.device == after.device
            case Routes(), Routes():
                self._check_routes(after)
            case Files(), Files():
                self._sandbox(after.container, after.sandbox)
            case Name(), Name():
                self._check_name(after)
            case _:
                raise AssertionError(f"{before} is not changed in place")
        self.objects[after.key] = after

    def _move(self, to: Sandbox) -> None:
        for key, item in self.objects.items():
            if isinstance(item, Files | Port | Routes) and item.container == to.container:
                self.objects[key] = replace(item, sandbox=to.name)

    def _remove(self, item: KernelObject) -> None:
        match item:
            case Bridge():
                assert item.device not in {port.bridge for port in self._all(Port)}, "a port is on the bridge"
            case Sandbox():
                assert item.container not in {port.container for port in self._all(Port)}, "a port is in it"
                assert ("process", item.container) not in self.objects, "a process is in it"
                assert ("name", f"view {item.container}") not in self.objects, "names are answered in it"
                self.objects.pop(("routes", item.container), None)
            case Port():
                self._unplug(item)
            case _:
                pass
        del self.objects[item.key]

    def _unplug(self, port: Port) -> None:
        """The kernel drops the routes over an interface with it."""
        routes = self.objects.get(("routes", port.container))
        if not isinstance(routes, Routes):
            return
        left = {
            family: route
            for family, route in (("ipv4", routes.ipv4), ("ipv6", routes.ipv6))
            if route and route[1] != port.interface
        }
        if left:
            self.objects[routes.key] = Routes(container=routes.container, sandbox=routes.sandbox, **left)
        else:
            del self.objects[routes.key]
