"""What REST shows of hosts, networks, containers and their history; the schema is made from these too."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.ipam.models import Address, Pool, Subnet
from apps.ipam.services import utilisations
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.selectors import dns_names, state_of

HOST_STATES = ["invited", "online", "offline", "revoked"]
STATES = ["active", "pending", "removing", "failed"]


class Ref(serializers.Serializer[Any]):
    id = serializers.CharField(source="pk")
    name = serializers.CharField()


class DriftOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="When it was put right.")
    text = serializers.CharField(help_text="What it was.")
    seconds = serializers.FloatField(default=0.0, help_text="How long it was wrong.")
    noticed = serializers.BooleanField(
        default=False,
        help_text="The kernel told of it, so `seconds` is exact; else it is the most it can be.",
    )


class LookOut(serializers.Serializer[Any]):
    """What a host's last full look found; null before the first."""

    at = serializers.DateTimeField()
    took_ms = serializers.FloatField()
    objects = serializers.DictField(child=serializers.IntegerField(), help_text="How many by kind.")
    drift = DriftOut(many=True, help_text="What something else had changed and was put right, newest first.")


class HostOut(serializers.ModelSerializer[Host]):
    class Meta:
        model = Host
        fields = [
            "id",
            "name",
            "advertise",
            "state",
            "drained",
            "outdated",
            "created",
            "revision",
            "acked_revision",
            "lag",
            "last_seen",
            "version",
            "kernel",
            "routes",
            "underlays",
            "nameservers",
            "problems",
            "look",
            "own",
        ]

    state = serializers.ChoiceField(choices=HOST_STATES)
    outdated = serializers.BooleanField(help_text="Its worker is of another version than the server.")
    lag = serializers.IntegerField(help_text="Changes that it has not taken in yet.")
    underlays = serializers.DictField(child=serializers.IntegerField(), help_text="MTU by own address.")
    routes = serializers.ListField(child=serializers.CharField())
    nameservers = serializers.ListField(child=serializers.CharField())
    problems = serializers.ListField(child=serializers.CharField(), source="all_problems")
    look = serializers.SerializerMethodField()
    own = serializers.SerializerMethodField(help_text="The server's own machine, which cannot be removed.")

    def get_own(self, host: Host) -> bool:
        return bool(host.name == settings.ENVIRONMENT.host_name)

    @extend_schema_field(LookOut(allow_null=True))
    def get_look(self, host: Host) -> dict[str, Any] | None:
        return host.look or None


class Invited(HostOut):
    """With the command that is shown this once."""

    join_command = serializers.SerializerMethodField()

    class Meta(HostOut.Meta):
        fields = [*HostOut.Meta.fields, "join_command"]

    def get_join_command(self, host: Host) -> str:
        return str(self.context["command"])


class Sealed(serializers.Serializer[Any]):
    sealed = serializers.CharField(help_text="What only the holder of the token can read.")


class SubnetUse(serializers.Serializer[Subnet]):
    """A subnet of a network; `free` is what automatic choice can still give."""

    subnet = serializers.CharField(source="cidr")
    gateway = serializers.CharField(allow_null=True)
    ip_range = serializers.CharField(source="range_cidr", allow_null=True)
    aux_addresses = serializers.SerializerMethodField()
    size = serializers.SerializerMethodField()
    used = serializers.SerializerMethodField()
    free = serializers.SerializerMethodField()

    def get_aux_addresses(self, subnet: Subnet) -> dict[str, str]:
        found: dict[str, str] = self.context["reserved"].get(subnet.pk, {})
        return found

    def get_size(self, subnet: Subnet) -> int:
        return int(self.context["use"][subnet.pk].size)

    def get_used(self, subnet: Subnet) -> int:
        return int(self.context["use"][subnet.pk].used)

    def get_free(self, subnet: Subnet) -> int:
        return int(self.context["use"][subnet.pk].free_dynamic)


def reserved_in(subnets: Iterable[Subnet]) -> dict[int, dict[str, str]]:
    """The auxiliary addresses by subnet, name to address; one query."""
    found: dict[int, dict[str, str]] = {}
    rows = Address.objects.filter(subnet__in=list(subnets), purpose=Address.Purpose.RESERVED)
    for subnet, name, text in rows.values_list("subnet", "name", "text"):
        found.setdefault(subnet, {})[name] = text
    return found


def show_use(subnets: Sequence[Subnet]) -> list[dict[str, Any]]:
    context = {"reserved": reserved_in(subnets), "use": utilisations(subnets)}
    return [dict(shown) for shown in SubnetUse(list(subnets), many=True, context=context).data]  # type: ignore[arg-type]


class SubnetOut(SubnetUse):
    id = serializers.IntegerField(source="pk")
    host = serializers.SerializerMethodField()
    network = serializers.SerializerMethodField()

    def get_host(self, subnet: Subnet) -> str | None:
        network = self.context["networks"].get(subnet.holder)
        return network.host.name if network and network.host else None

    @extend_schema_field(Ref(allow_null=True))
    def get_network(self, subnet: Subnet) -> dict[str, str] | None:
        network = self.context["networks"].get(subnet.holder)
        return {"id": network.pk, "name": network.name} if network else None


class NetworkOut(serializers.Serializer[Network]):
    """`context["subnets"]` holds what `show_use` gave, by network."""

    id = serializers.CharField()
    name = serializers.CharField()
    host = serializers.CharField(source="host.name", allow_null=True, default=None)
    driver = serializers.ChoiceField(choices=Driver.choices)
    scope = serializers.CharField()
    predefined = serializers.BooleanField()
    internal = serializers.BooleanField()
    enable_ipv6 = serializers.BooleanField()
    options = serializers.DictField(child=serializers.CharField())
    labels = serializers.DictField(child=serializers.CharField())
    created = serializers.DateTimeField()
    state = serializers.SerializerMethodField()
    error = serializers.CharField()
    subnets = serializers.SerializerMethodField()
    hosts = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, network: Network) -> str:
        return state_of(network)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_hosts(self, network: Network) -> list[str]:
        """Where it is: its own host, or those that have an endpoint on the overlay."""
        if network.host is not None:
            return [network.host.name]
        return sorted(membership.host.name for membership in network.memberships.all())

    @extend_schema_field(SubnetUse(many=True))
    def get_subnets(self, network: Network) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.context["subnets"][network.pk]
        return shown


class Fault(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A stable word for programs.")
    message = serializers.CharField(help_text="One sentence: what is wrong, and what to do.")
    field = serializers.CharField(allow_null=True, help_text="The input to blame.")


class Plan(serializers.Serializer[Any]):
    """What a network would get; `refusal` instead when it would not be made."""

    subnets = SubnetUse(many=True)
    refusal = Fault(allow_null=True)


class EndpointOut(serializers.Serializer[Endpoint]):
    id = serializers.CharField()
    host = serializers.CharField(source="host.name")
    network = Ref()
    container = Ref()
    interface = serializers.CharField()
    mac_address = serializers.CharField(source="mac")
    ipv4_address = serializers.CharField(source="ipv4", allow_null=True)
    ipv4_prefix = serializers.IntegerField()
    ipv6_address = serializers.CharField(source="ipv6", allow_null=True)
    ipv6_prefix = serializers.IntegerField()
    aliases = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    dns_names = serializers.SerializerMethodField()
    gateway_priority = serializers.IntegerField(source="priority")
    state = serializers.SerializerMethodField()
    error = serializers.CharField()
    created = serializers.DateTimeField()

    def get_aliases(self, endpoint: Endpoint) -> list[str]:
        return [alias.name for alias in endpoint.aliases.all()]

    def get_links(self, endpoint: Endpoint) -> list[str]:
        return [str(link) for link in endpoint.links.all()]

    def get_dns_names(self, endpoint: Endpoint) -> list[str]:
        return list(dns_names(endpoint))

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, endpoint: Endpoint) -> str:
        return state_of(endpoint)


class OperationOut(serializers.Serializer[Operation]):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(source="actor_name")
    action = serializers.CharField()
    subject = serializers.CharField()
    subject_id = serializers.CharField()
    subject_name = serializers.CharField()
    detail = serializers.DictField(help_text="What was asked for.")
    before = serializers.SerializerMethodField(help_text="The same subject after its change before this one.")
    after = serializers.DictField(allow_null=True, help_text="What the subject was then; null: gone.")
    host = serializers.CharField(source="host.name", allow_null=True, default=None)
    outcome = serializers.ChoiceField(choices=Operation.Outcome.choices)
    message = serializers.CharField()
    finished = serializers.DateTimeField(allow_null=True)
    request = serializers.CharField(
        help_text="Id of the request that asked for it, as in the logs; may be empty."
    )

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_before(self, operation: Operation) -> dict[str, Any] | None:
        """Null where it is not asked for, as in the answer to a change."""
        return getattr(operation, "before", None)


class PoolOut(serializers.ModelSerializer[Pool]):
    class Meta:
        model = Pool
        fields = ["id", "name", "space", "base", "size", "position"]


class Accepted(serializers.Serializer[Any]):
    """The change is recorded and will happen; the host has not answered yet."""

    operation = OperationOut()


class AcceptedTogether(serializers.Serializer[Any]):
    """The same of several changes, in their order; those that are done say so."""

    operations = OperationOut(many=True)


class Removed(serializers.Serializer[Any]):
    removed = serializers.ListField(child=serializers.CharField())


class Error(Fault):
    errors = Fault(  # type: ignore[assignment]  # Of what is shown, not the serializer's own.
        many=True, required=False, help_text="When several inputs are to blame."
    )
