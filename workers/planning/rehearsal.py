"""What would be done, without doing it: for a change that is only thought of, and for the mending of a host. Pure."""

from collections.abc import Iterable, Sequence

from workers.contract.state import Row
from workers.planning.desired import Desired
from workers.planning.diff import Operation, diff
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Listener,
    Macvlan,
    Objects,
    Port,
    Process,
    Redirect,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)
from workers.planning.render import Surroundings, render


def plan_change(rows: Sequence[Row], changed: Sequence[Row], surroundings: Surroundings) -> list[Operation]:
    """What `changed` would do to a host that is as `rows` say."""
    return diff(render_all([*rows, *changed], surroundings), render_all(rows, surroundings))


def plan_repair(rows: Sequence[Row], found: Objects, surroundings: Surroundings) -> list[Operation]:
    """What would make a host that was found so as `rows` say. Names and held ports are not looked for: they are told
    anew each time.

    Of a running process nothing but its incarnation can be found.
    """
    wanted = render_all(rows, surroundings)
    keys = {key for key in {*wanted, *found} if key[0] not in ("name", "listener")}
    same = {
        key
        for key in keys
        if isinstance(have := found.get(key), Process)
        and isinstance(want := wanted.get(key), Process)
        and have.incarnation == want.incarnation
    }
    return diff(wanted, found, keys - same)


def render_all(rows: Iterable[Row], surroundings: Surroundings) -> Objects:
    """All kernel objects that the rows mean; of several rows of one object the last counts."""
    desired = Desired()
    for row in rows:
        desired.put(row)
    objects: Objects = {}
    for owner in desired.owners():
        objects.update(render(desired, owner, surroundings))
    return objects


def word(operation: Operation) -> str:
    """The operation in words: `create port veth0a1b2c3 for eth0 of web with 10.30.0.2/24`."""
    item = operation.after or operation.before
    assert item is not None
    return f"{operation.verb} {item.kind} {_name(item)}"


def _name(item: KernelObject) -> str:
    match item:
        case Element():
            return f"{item.set} {item.value}"
        case Redirect():
            return f"{item.match.replace(' . ', ' ')} to {item.target.replace(' . ', ' ')}"
        case Listener():
            return f"{item.binding.protocol} {item.binding.address} {item.binding.host_port}"
        case Bridge():
            return " with ".join([item.device, *filter(None, [", ".join(item.addresses)])])
        case Tunnel():
            return f"{item.device} on {item.bridge}, VNI {item.vni}, from {item.local}"
        case Remote():
            return f"{item.mac} ({', '.join(item.addresses)}) by {item.tunnel} at {item.vtep}"
        case Sandbox():
            return item.name
        case Files():
            return f"of {item.sandbox}"
        case Sysctls():
            return f"of {item.sandbox}: {', '.join(f'{name}={value}' for name, value in item.values)}"
        case Port():
            return f"{item.device} for {item.interface} of {item.sandbox} with {', '.join(item.addresses)}"
        case Macvlan():
            return f"{item.interface} of {item.sandbox} on {item.parent} with {', '.join(item.addresses)}"
        case Routes():
            ways = [
                f"default by {gateway} on {device}"
                for gateway, device in filter(None, [item.ipv4, item.ipv6])
            ]
            ways += [f"{cidr} by {gateway} on {device}" for cidr, gateway, device in item.others]
            return f"of {item.sandbox}: {', '.join(ways) or 'none'}"
        case Process():
            return f"of {item.container[:12]}" + (f": {' '.join(item.command)}" if item.command else "")
        case _:
            return item.key[1]
