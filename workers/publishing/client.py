"""How the worker tells the port service of its host which ports to hold."""

from collections.abc import Iterable

from workers.contract.publishing import Binding
from workers.local.client import LineClient, LineError


class PortServiceError(LineError):
    """The port service was not reached or refused; the text is a sentence."""


class PortService(LineClient):
    """See `LineClient`. Keys are (protocol, `address port`); ("memory", "") stands for changes that a restart
    would lose."""

    service = "port service"
    failure = PortServiceError

    def update(
        self, bindings: Iterable[Binding], delete: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], str]:
        """Change bindings; on return they are held or free. Returns those that cannot be had and why, by key."""
        return self.change({"op": "update", "set": list(bindings), "delete": list(delete)})

    def sync(self, bindings: Iterable[Binding]) -> dict[tuple[str, str], str]:
        """Replace everything; returns failures as `update` does."""
        return self.change({"op": "sync", "set": list(bindings)})
