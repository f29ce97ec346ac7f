"""Answers the server's question what would be done here, beside the agent: it reads what the agent remembers and what
the kernel has, and changes neither."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from workers.contract.questions import OPERATIONS
from workers.contract.state import Row
from workers.kernel.edge import Kernel
from workers.memory import Memory
from workers.planning.objects import Objects, Sysctls, see_process
from workers.planning.rehearsal import plan_change, plan_repair, render_all
from workers.planning.render import Surroundings
from workers.planning.words import collect_names, word
from workers.runtimes.client import Supervisor
from workers.surroundings import read_resolv_conf


def rehearse(state_dir: Path, host: str, changed: Sequence[Any] | None) -> dict[str, Any]:
    """What making the rows `changed` true would do, or, for None, a look at everything: {operations, total}."""
    with closing(Memory(state_dir / "memory.sqlite3")) as memory:
        rows = memory.rows()
        surroundings = Surroundings(host=host, resolv_conf=read_resolv_conf(), ended=memory.ended())
    later = msgspec.convert(changed or (), list[Row])
    if changed is None:
        operations = plan_repair(rows, _observe(state_dir, render_all(rows, surroundings)), surroundings)
    else:
        operations = plan_change(rows, later, surroundings)
    known = collect_names([*rows, *later])
    shown = [
        {"verb": each.verb, "kind": each.key[0], "text": word(each, known)}
        for each in operations[:OPERATIONS]
    ]
    return {"operations": shown, "total": len(operations)}


def _observe(state_dir: Path, wanted: Objects) -> Objects:
    with closing(Kernel()) as kernel:
        found = kernel.observe(item for item in wanted.values() if isinstance(item, Sysctls))
    for container, run in Supervisor(str(state_dir / "supervisor.sock")).status().items():
        if run.state == "running":
            process = see_process(container, run.incarnation)
            found[process.key] = process
    return found
