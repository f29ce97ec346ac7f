"""What REST shows of containers; the schema is made from these too."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.representations import EndpointOut
from apps.containers.models import Container
from apps.containers.ports import PROTOCOLS, write
from apps.containers.restarts import write_policy
from apps.networks.publishing import bindings_of


class BindingOut(serializers.Serializer[Any]):
    """An address of the host that leads to the port now; 0.0.0.0 and :: are all of a family."""

    address = serializers.CharField()
    port = serializers.IntegerField()


class PortOut(serializers.Serializer[Any]):
    """A published port. `bindings` is empty while the container does not run, or where nothing can be published."""

    port = serializers.IntegerField(help_text="Inside the container.")
    protocol = serializers.ChoiceField(choices=PROTOCOLS)
    asked = serializers.CharField(help_text="As it can be asked for: [[ADDRESS:]HOST_PORT:]PORT/PROTOCOL.")
    bindings = BindingOut(many=True)


class ProcessesOut(serializers.Serializer[Any]):
    """As ps shows them, by the ids that they have on the host."""

    titles = serializers.ListField(child=serializers.CharField())
    processes = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class ContainerOut(serializers.Serializer[Container]):
    """`context["ports"]` holds what `show_ports` gave."""

    id = serializers.CharField()
    name = serializers.CharField()
    host = serializers.CharField(source="host.name")
    hostname = serializers.CharField()
    state = serializers.ChoiceField(choices=Container.State.choices)
    wanted = serializers.ChoiceField(choices=Container.Wanted.choices)
    exit_code = serializers.IntegerField(allow_null=True)
    exit_message = serializers.CharField()
    error = serializers.CharField()
    image = serializers.CharField(help_text="Id; empty: the host's own root directory.")
    image_name = serializers.CharField(help_text="As it was asked for.")
    entrypoint = serializers.ListField(child=serializers.CharField())
    command = serializers.ListField(child=serializers.CharField())
    user = serializers.CharField()
    working_dir = serializers.CharField()
    env = serializers.DictField(child=serializers.CharField())
    labels = serializers.DictField(child=serializers.CharField())
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    stop_timeout = serializers.FloatField()
    restart = serializers.SerializerMethodField()
    restart_count = serializers.IntegerField(help_text="How often since it was started.")
    host_network = serializers.BooleanField()
    dns = serializers.ListField(child=serializers.CharField())
    dns_search = serializers.ListField(child=serializers.CharField())
    dns_options = serializers.ListField(child=serializers.CharField())
    extra_hosts = serializers.ListField(child=serializers.CharField())
    sysctls = serializers.DictField(child=serializers.CharField())
    ports = serializers.SerializerMethodField()
    endpoints = EndpointOut(many=True)

    def get_restart(self, container: Container) -> str:
        return write_policy(container.restart_policy, container.restart_limit)

    @extend_schema_field(PortOut(many=True))
    def get_ports(self, container: Container) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.context["ports"].get(container.pk, [])
        return shown


def show_ports(containers: Sequence[Container]) -> dict[str, list[dict[str, Any]]]:
    """The published ports by container; one query, if any of them has some."""
    bindings = bindings_of((one, one.ports.all(), one.endpoints.all()) for one in containers)
    return {
        container.pk: [
            {
                "port": port.port,
                "protocol": port.protocol,
                "asked": write(port),
                "bindings": [
                    {"address": each.address, "port": each.host_port} for each in bindings.get(port.pk, ())
                ],
            }
            for port in container.ports.all()
        ]
        for container in containers
    }


class LogText(serializers.Serializer[Any]):
    text = serializers.CharField()


class ExecResult(serializers.Serializer[Any]):
    exit_code = serializers.IntegerField()
    output = serializers.CharField()
    truncated = serializers.BooleanField()
