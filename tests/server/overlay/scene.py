"""Changes on overlays as REST makes them, without waiting for a host."""

from apps.containers.models import Container
from apps.delivery.changes import Change, carry_out, carry_out_on_all
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.rules import ask_subnet
from apps.networks.services import endpoints, lifecycle, overlays
from apps.networks.services.attachments import Wish

ASKED = Change(actor=None, action="test")


def make_overlay(name: str = "lab", *cidrs: str, **fields: object) -> Network:
    wanted = [ask_subnet(cidr, None, None, {}) for cidr in cidrs]
    network, _ = carry_out_on_all(
        ASKED,
        lambda: (overlays.create_overlay(name=name, subnets=wanted, **fields), ()),  # type: ignore[arg-type]
        wait=False,
    )
    assert isinstance(network, Network)
    return network


def run(host: Host, name: str, *networks: Network, **wishes: str) -> Container:
    def work(locked: Host) -> Container:
        wanted = [(network, Wish(**wishes)) for network in networks]  # type: ignore[arg-type]
        return lifecycle.create_container(locked, name=name, attachments=wanted, start=True)

    container, _ = carry_out(ASKED, host, work, wait=False)
    assert isinstance(container, Container)
    return container


def change_container(container: Container, function: str, *arguments: object, **options: object) -> None:
    def work(locked: Host) -> Container:
        current = Container.objects.get(pk=container.pk)
        changed: Container = getattr(lifecycle, function)(locked, current, *arguments, **options)
        return changed

    carry_out(ASKED, container.host, work, wait=False)


def connect(network: Network, container: Container, **wishes: object) -> Endpoint:
    def work(locked: Host) -> Endpoint:
        return endpoints.connect(locked, network, container, Wish(**wishes))  # type: ignore[arg-type]

    endpoint, _ = carry_out(ASKED, container.host, work, wait=False)
    assert isinstance(endpoint, Endpoint)
    return endpoint


def disconnect(network: Network, container: Container) -> None:
    carry_out(
        ASKED, container.host, lambda locked: endpoints.disconnect(locked, network, container), wait=False
    )


def endpoint_of(container: Container) -> Endpoint:
    return Endpoint.objects.select_related("network").get(container=container, removing=False)
