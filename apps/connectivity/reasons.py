"""Why one container reaches another or not: pure, from what is recorded and what was measured.

The first step that is not right is the reason; its advice is what mends it.
"""

from dataclasses import dataclass
from ipaddress import ip_address

from apps.containers.models import Container
from apps.networks.models import Endpoint
from apps.networks.rules import ENABLE_ICC


@dataclass(frozen=True)
class Step:
    """One thing that has to be right on the way."""

    step: str
    """source, target, host, network, endpoint, firewall, address or name."""
    detail: str
    """A sentence that says how it is."""
    ok: bool = True
    advice: str = ""
    """When it is not right: what to do."""


@dataclass(frozen=True)
class Echo:
    """What an address answered: as `workers.kernel.probe` tells it."""

    address: str
    sent: int = 0
    received: int = 0
    rtt_ms: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Lookup:
    """What the name service in the sandbox answers to a name."""

    name: str
    step: str = ""
    """link, name, alias, reverse or forward."""
    answers: tuple[str, ...] = ()
    rcode: str = ""
    error: str = ""


def endpoints_of(container: Container) -> list[Endpoint]:
    """In the order of connection; none of the networks without addresses."""
    return sorted(
        (each for each in container.endpoints.all() if each.ipv4 or each.ipv6), key=lambda one: one.index or 0
    )


def find_common(source: Container, target: Container) -> tuple[Endpoint, Endpoint] | None:
    """The endpoints of both on the first network that they share, preferring one where names are known."""
    there = {each.network.pk: each for each in endpoints_of(target)}
    shared = [each for each in endpoints_of(source) if each.network.pk in there]
    for own in sorted(shared, key=lambda one: one.network.predefined):
        return own, there[own.network.pk]
    return None


def address_of(source: Container, target: Container) -> str | None:
    """Where the source would reach the target: on their common network, else wherever it has an address."""
    common = find_common(source, target)
    endpoint = common[1] if common else next(iter(endpoints_of(target)), None)
    return (endpoint.ipv4 or endpoint.ipv6) if endpoint else None


def walk(source: Container, target: Container) -> list[Step]:
    """What the record says of the way, up to the first thing that is wrong."""
    found: list[Step] = []
    for step in _steps(source, target):
        found.append(step)
        if not step.ok:
            break
    return found


def _steps(source: Container, target: Container) -> list[Step]:
    steps = [*_check_parties(source, target)]
    common = find_common(source, target)
    if common is None:
        return [*steps, _tell_apart(source, target)]
    own, other = common
    network = own.network
    steps.append(Step("network", f"Both are on network {network.name}."))
    steps += [_check_endpoint(own), _check_endpoint(other)]
    if network.options.get(ENABLE_ICC) == "false":
        steps.append(
            Step(
                "firewall",
                f"Containers on network {network.name} may not talk to each other: {ENABLE_ICC} is false.",
                False,
                f"Connect both to another network: netadmin network connect NETWORK {source.name}",
            )
        )
    return steps


def _check_parties(source: Container, target: Container) -> list[Step]:
    steps = []
    for word, container in (("source", source), ("target", target)):
        runs = container.state == Container.State.RUNNING
        detail = f"{container.name} {'runs' if runs else 'does not run'} on host {container.host.name}."
        if container.host_network:
            detail = f"{container.name} shares the network of its host {container.host.name}."
            steps.append(Step(word, detail, False, "Choose a container with a network namespace of its own."))
        else:
            steps.append(
                Step(word, detail, runs, "" if runs else f"Start it: netadmin start {container.name}")
            )
    for host in {source.host, target.host}:
        online = host.state == "online"
        advice = f"Start its worker on {host.name}: netadmin worker run"
        steps.append(Step("host", f"Host {host.name} is {host.state}.", online, "" if online else advice))
    return steps


def _tell_apart(source: Container, target: Container) -> Step:
    """No network in common: networks are kept apart."""
    named = [each.network for each in endpoints_of(target) if not each.network.predefined]
    advice = f"Connect both to one network: netadmin network connect NETWORK {source.name}"
    if named and (named[0].host is None or named[0].host == source.host):
        advice = f"Connect it there: netadmin network connect {named[0].name} {source.name}"
    return Step(
        "network",
        f"{source.name} and {target.name} are on no common network; networks are kept apart.",
        False,
        advice,
    )


def _check_endpoint(endpoint: Endpoint) -> Step:
    where = f"{endpoint.interface} of {endpoint.container.name}"
    if endpoint.error:
        return Step(
            "endpoint", f"{where} could not be made: {endpoint.error}", False, "Mend what the host says."
        )
    if not endpoint.applied:
        advice = (
            f"Wait for host {endpoint.host.name}, or look at it: netadmin host inspect {endpoint.host.name}"
        )
        return Step("endpoint", f"{where} is not made yet.", False, advice)
    return Step("endpoint", f"{where} has {endpoint.ipv4 or endpoint.ipv6}.")


def judge_echo(echo: Echo, source: Container) -> Step:
    """What was measured by address."""
    if echo.received:
        lost = f", {echo.sent - echo.received} of {echo.sent} lost" if echo.received < echo.sent else ""
        return Step("address", f"{echo.address} answers in {echo.rtt_ms} ms{lost}.")
    said = {"no route": "has no route to", "unreachable": "is told that there is no way to"}
    detail = f"{source.name} {said.get(echo.error, 'gets no answer from')} {echo.address}."
    advice = (
        f"The host mends its side within a minute; look at the other: netadmin exec {source.name} ip route"
    )
    return Step("address", detail, False, advice)


def has_name_service(container: Container) -> bool:
    """Whether one of its networks is a user-defined one."""
    return any(not each.network.predefined for each in endpoints_of(container))


def judge_lookup(lookup: Lookup, address: str | None, served: bool) -> Step:
    """What the name service said; `served`: it should know the name, for that is not on the default bridge."""
    if lookup.answers:
        detail = f"{lookup.name} is {', '.join(lookup.answers)}, known by {lookup.step}."
        return Step(
            "name", detail, address is None or address in lookup.answers, "Another one answers to the name."
        )
    if not served:
        detail = f"{lookup.name} is not known: the default bridge has no name service."
        return Step("name", detail, False, "Use the address, or connect both to a network of your own.")
    detail = lookup.error or f"{lookup.name} is not known there ({lookup.rcode or 'no answer'})."
    return Step("name", detail, False, "Look at who has the name: netadmin network inspect NETWORK")


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
