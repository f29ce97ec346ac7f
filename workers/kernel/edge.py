"""The one way to the kernel: look at what is there, and make one object what it should be."""

from collections.abc import Callable, Container, Iterable

from workers.kernel import files
from workers.kernel.announce import Announcer
from workers.kernel.bridges import Bridges
from workers.kernel.departures import Departures
from workers.kernel.dump import Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.flows import forget_flows
from workers.kernel.interiors import Interiors
from workers.kernel.macvlans import Macvlans
from workers.kernel.markers import (
    BRIDGE_GROUP,
    LEAVING_GROUP,
    PORT_GROUP,
    TUNNEL_GROUP,
)
from workers.kernel.namespaces import Namespaces
from workers.kernel.netlink import drop_link
from workers.kernel.nftables import Ruleset
from workers.kernel.notices import Notices
from workers.kernel.observation import observe
from workers.kernel.outside import Outside
from workers.kernel.ports import Ports
from workers.kernel.remotes import Remotes, describe_failure
from workers.kernel.routes import set_routes
from workers.kernel.sysctls import Settings, read_sysctls, set_sysctls
from workers.kernel.tunnels import Tunnels
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Key,
    Macvlan,
    Objects,
    Port,
    Redirect,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)

__all__ = ["Kernel", "KernelError"]


class Kernel:
    """Made and used in one thread, which it takes in and out of namespaces and which does nothing else.

    Every method raises KernelError with a sentence for a person, and Stranded where the thread is lost.
    """

    def __init__(self) -> None:
        with explained("The kernel's network configuration cannot be reached"):
            self._namespaces = Namespaces()
            self._look = Look()
            self._settings = Settings()
            self._announcer = Announcer()
            self._departures = Departures()
            self._remotes = Remotes(self._look, self._announcer)
        self._ports = Ports(self._look, self._settings, self._namespaces, self._announcer, self._departures)
        self._macvlans = Macvlans(self._look, self._namespaces, self._announcer)
        self._bridges = Bridges(self._look, self._settings, self._departures)
        self._tunnels = Tunnels(self._look)
        self._outside = Outside(self._look)
        self._interiors = Interiors(self._namespaces)
        self._ruleset = Ruleset()

    def close(self) -> None:
        self._ruleset.close()
        self._remotes.close()
        self._departures.close()
        self._announcer.close()
        self._settings.close()
        self._look.close()
        self._namespaces.close()

    def observe(
        self,
        sysctls: Iterable[Sysctls] = (),
        unchanged: Container[str] = (),
        breathe: Callable[[], None] = lambda: None,
    ) -> Objects:
        """Everything of ours that is there now, equal to what was created unless somebody changed it.

        The kernel has thousands of settings and no mark of ours on any: only those of `sysctls` are looked at.
        `unchanged`: sandboxes in which, as notices tell, nothing has been changed since the last time.
        `breathe` may break it off, by an exception, before each sandbox that is looked into.
        """
        with explained("The state of the kernel cannot be read"):
            found = observe(self._look, self._interiors, unchanged, breathe)
        # What a worker that was killed left on its way out.
        self._departures.begin()
        found.update((entry.key, entry) for entry in self._ruleset.entries())
        found.update((now.key, now) for wanted in sysctls if (now := self._find_sysctls(wanted)))
        return found

    @property
    def looked_into(self) -> set[str]:
        """Names of the sandboxes that the last `observe` looked into, also when it was broken off."""
        return self._interiors.looked_into

    def create(self, wanted: KernelObject) -> None:
        """Make an object; what is there already and is ours is brought to what is wanted."""
        match wanted:
            case Element():
                self._ruleset.apply([wanted], [])
            case Redirect():
                self.apply_redirects([wanted], [])
            case Bridge():
                self._bridges.build(wanted)
            case Tunnel():
                self._tunnels.build(wanted)
            case Remote():
                self._apply_remote([wanted], [])
            case Macvlan():
                self._macvlans.create(wanted)
            case Sandbox():
                self._namespaces.create(wanted)
            case Files():
                files.write(wanted)
            case Sysctls():
                self._set_sysctls(wanted)
            case Port():
                self._ports.create(wanted)
            case Routes():
                set_routes(self._namespaces, wanted)
            case _:
                raise TypeError(f"not an object of the kernel: {wanted.kind}")

    def change(self, found: KernelObject, wanted: KernelObject) -> None:
        """Turn one into the other, in place where the kernel can."""
        match found, wanted:
            case Bridge(), Bridge() if found.device == wanted.device:
                self._bridges.build(wanted)
            case Tunnel(), Tunnel():
                self._tunnels.build(wanted)
            case Remote(), Remote() if found.tunnel == wanted.tunnel and found.mac == wanted.mac:
                self._apply_remote([], [], [(found, wanted)])
            case Sandbox(), Sandbox() if found.incarnation == wanted.incarnation:
                self._rename(found, wanted)
            case (Files(), Files()) | (Routes(), Routes()) | (Sysctls(), Sysctls()):
                self.create(wanted)
            case Redirect(), Redirect():
                self.apply_redirects([wanted], [found])
            case Port(), Port() if _differ_in_names_only(found, wanted):
                self._ports.update_gateways(found, wanted)
            case _:
                self.remove(found)
                self.create(wanted)

    def remove(self, found: KernelObject) -> None:
        """Remove an object; what is gone already, or somebody else's by now, is left alone."""
        match found:
            case Element():
                self._ruleset.apply([], [found])
            case Redirect():
                self.apply_redirects([], [found])
            case Bridge():
                self._bridges.remove(found)
            case Tunnel():
                self._tunnels.remove(found)
            case Remote():
                self._apply_remote([], [found])
            case Macvlan():
                self._macvlans.remove(found)
            case Sandbox():
                self._namespaces.remove(found)
                files.remove(found.container, found.name)
            case Files():
                files.remove(found.container, found.sandbox)
            case Port():
                self._ports.remove([found])
            case Routes():
                self._remove_routes(found)
            case _:
                raise TypeError(f"not an object of the kernel: {found.kind}")

    def remove_ports(self, found: Iterable[Port]) -> None:
        """Take many ports out of service at once."""
        self._ports.remove(found)

    def _rename(self, found: Sandbox, wanted: Sandbox) -> None:
        if found.name == wanted.name:
            return
        self._namespaces.rename(found, wanted.name)
        files.rename(found.container, found.name, wanted.name)

    def _remove_routes(self, found: Routes) -> None:
        sandbox = self._namespaces.find(found.sandbox)
        if sandbox is not None and sandbox.container == found.container:
            set_routes(self._namespaces, Routes(container=found.container, sandbox=found.sandbox))

    def apply_elements(self, add: Iterable[Element | Redirect], remove: Iterable[Element | Redirect]) -> None:
        """Change the firewall's sets and maps in one transaction."""
        self._ruleset.apply(list(add), list(remove))

    def apply_redirects(self, add: list[Redirect], remove: list[Redirect]) -> None:
        """Send what comes for these ports elsewhere, in one transaction: also what comes by connections that are."""
        self._ruleset.apply(add, remove)
        forget_flows(add + remove)

    def apply_remotes(
        self, add: Iterable[Remote], remove: Iterable[Remote], change: Iterable[tuple[Remote, Remote]] = ()
    ) -> dict[Key, str]:
        """Make, drop and change (found, wanted) many entries behind tunnels at once; why one failed, by its key."""
        failures = self._remotes.apply(add, remove, change)
        return {remote.key: describe_failure(remote, number) for remote, number in failures.items()}

    def _apply_remote(
        self, add: list[Remote], remove: list[Remote], change: Iterable[tuple[Remote, Remote]] = ()
    ) -> None:
        for message in self.apply_remotes(add, remove, change).values():
            raise KernelError(message)

    def _set_sysctls(self, wanted: Sysctls) -> None:
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
            self._namespaces.inside(room.descriptor),
        ):
            set_sysctls(wanted.values)

    def _find_sysctls(self, wanted: Sysctls) -> Sysctls | None:
        """The same settings as they are now; None where the sandbox is missing."""
        try:
            with (
                self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
                self._namespaces.inside(room.descriptor),
            ):
                values = read_sysctls(name for name, _ in wanted.values)
        except KernelError:
            return None
        return Sysctls(container=wanted.container, sandbox=wanted.sandbox, values=values)

    def ensure_table(self) -> bool:
        """Our firewall table is there, whole, with this version's text; its elements stay. Whether it was not."""
        return self._ruleset.ensure()

    def ensure_forwarding(self, ipv6: bool) -> bool:
        """The host routes. Whether it did not."""
        return self._settings.enable_forwarding(ipv6)

    def listen(self) -> Notices:
        """Hear what is changed in the kernel, by whomever."""
        return Notices(self._namespaces)

    def adopt(self, wanted: Sandbox, pid: int) -> bool:
        """Name the namespace of a process that still is this very sandbox; False where it is not."""
        return self._namespaces.adopt(wanted, pid)

    def foreign_routes(self) -> tuple[str, ...]:
        """CIDRs, sorted, that the host reaches directly over devices that are not ours."""
        with explained("The routes of the host cannot be read"):
            return self._outside.routes()

    def underlays(self) -> dict[str, int]:
        """The host's own addresses on devices that are not ours, each with the MTU of its device in bytes."""
        with explained("The addresses of the host cannot be read"):
            return self._outside.underlays()

    def purge(self) -> list[str]:
        """Remove everything of ours, found by its marker; what was removed, one line each."""
        removed = []
        with explained("What is netadmin's cannot be removed"):
            self._departures.wait()
            for group in (LEAVING_GROUP, PORT_GROUP, TUNNEL_GROUP, BRIDGE_GROUP):
                links = [link for link in self._look.links() if link.group == group]
                if links:
                    # The end of a namespace removed just now takes its port away in its own time: maybe
                    # between our look and our word.
                    self._look.carry_out(drop_link(group=group))
                removed += [f"device {link.name}" for link in links]
        for found in observe(self._look, self._interiors).values():
            self.remove(found)
            if isinstance(found, Sandbox):
                removed.append(f"namespace {found.name}")
            elif isinstance(found, Files):
                removed.append(f"folder {files.FOLDER / found.sandbox}")
        if self._ruleset.remove():
            removed.append("nftables table inet netadmin")
        return removed


def _differ_in_names_only(found: Port, wanted: Port) -> bool:
    """The same wires: only the namespace's name, which a port does not know, or its neighbours differ."""
    fields = ("endpoint", "container", "device", "bridge", "interface", "mac", "mtu", "addresses")
    return bool(found.sandbox) and all(getattr(found, name) == getattr(wanted, name) for name in fields)
