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
    Macvlan,
    Name,
    Objects,
    Port,
    Process,
    Remote,
    Routes,
    Sandbox,
    Tunnel,
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
            case Tunnel():
                assert item.bridge in {bridge.device for bridge in self._all(Bridge)}
                assert item.device not in {tunnel.device for tunnel in self._all(Tunnel)}
            case Remote():
                assert item.tunnel in {tunnel.device for tunnel in self._all(Tunnel)}
            case Macvlan():
                self._sandbox(item.container, item.sandbox)
                assert (item.container, item.interface) not in self._interfaces()
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
        interfaces = {interface for container, interface in self._interfaces() if container == item.container}
        assert {route[1] for route in (item.ipv4, item.ipv6) if route} <= interfaces
        assert {route[2] for route in item.others} <= interfaces

    def _interfaces(self) -> set[tuple[str, str]]:
        return {(item.container, item.interface) for item in [*self._all(Port), *self._all(Macvlan)]}

    def _check_name(self, item: Name) -> None:
        entry = item.entry
        if isinstance(entry, Holder):
            far = {address for remote in self._all(Remote) for address in remote.addresses}
            near = {("port", entry.endpoint), ("macvlan", entry.endpoint)} & self.objects.keys()
            assert near or {entry.ipv4, entry.ipv6} & far
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
            case Tunnel(), Tunnel():
                assert replace(before, mtu=after.mtu) == after, "a tunnel is not changed in place"
            case Remote(), Remote():
                assert (before.tunnel, before.mac) == (after.tunnel, after.mac)
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
            if isinstance(item, Files | Port | Macvlan | Routes) and item.container == to.container:
                self.objects[key] = replace(item, sandbox=to.name)

    def _remove(self, item: KernelObject) -> None:
        match item:
            case Bridge():
                assert item.device not in {port.bridge for port in self._all(Port)}, "a port is on the bridge"
                assert item.device not in {tunnel.bridge for tunnel in self._all(Tunnel)}, "a tunnel is on it"
            case Tunnel():
                for remote in self._all(Remote):
                    if remote.tunnel == item.device:
                        del self.objects[remote.key]
            case Sandbox():
                assert item.container not in {container for container, _ in self._interfaces()}, (
                    "a port is in it"
                )
                assert ("process", item.container) not in self.objects, "a process is in it"
                assert ("name", f"view {item.container}") not in self.objects, "names are answered in it"
                self.objects.pop(("routes", item.container), None)
            case Port() | Macvlan():
                self._unplug(item)
            case _:
                pass
        del self.objects[item.key]

    def _unplug(self, port: Port | Macvlan) -> None:
        """The kernel drops the routes over an interface with it."""
        routes = self.objects.get(("routes", port.container))
        if not isinstance(routes, Routes):
            return
        left = {
            family: route
            for family, route in (("ipv4", routes.ipv4), ("ipv6", routes.ipv6))
            if route and route[1] != port.interface
        }
        others = tuple(route for route in routes.others if route[2] != port.interface)
        if left or others:
            self.objects[routes.key] = Routes(
                container=routes.container, sandbox=routes.sandbox, others=others, **left
            )
        else:
            del self.objects[routes.key]
