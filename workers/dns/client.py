"""The other end of the control socket: how the worker tells the name service of its host what there is."""

from collections.abc import Iterable
from typing import Any

from workers.contract.names import Entry
from workers.local.client import LineClient, LineError

UPSTREAM_PATIENCE = 5.0
"""Seconds more for `explain`, which may have to wait for the host's servers."""


class NameServiceError(LineError):
    """The name service was not reached or refused; the text is a sentence."""


class NameService(LineClient):
    """See `LineClient`."""

    service = "name service"
    failure = NameServiceError

    def update(self, set: Iterable[Entry], delete: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Change entries; `delete` holds ("holder", endpoint id) and ("view", container id).

        Names answer accordingly on return, and sockets in deleted views are closed. Returns the entries that
        do not work and why, by key; ("memory", "") stands for changes that a restart would lose.
        """
        return self.change({"op": "update", "set": list(set), "delete": list(delete)})

    def sync(self, entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
        """Replace everything; returns failures as `update` does."""
        return self.change({"op": "sync", "set": list(entries)})

    def explain(self, view: str, name: str, type: str = "A") -> dict[str, Any]:
        """What the container `view` would be answered: step, network, network_name, answers, rcode."""
        request = {"op": "explain", "view": view, "name": name, "type": type}
        return self.ask(request, self.timeout + UPSTREAM_PATIENCE)

    def stats(self) -> dict[str, Any]:
        """Counts since the service started, and what it holds now; `timings`: by outcome, see `reports.Timing`."""
        return self.ask({"op": "stats"}, self.timeout)
