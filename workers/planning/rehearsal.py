"""What would be done, without doing it: for a change that is only thought of, and for the mending of a host. Pure."""

from collections.abc import Iterable, Sequence

from workers.contract.state import Row
from workers.planning.desired import Desired
from workers.planning.diff import Operation, diff
from workers.planning.objects import Objects, Process
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
