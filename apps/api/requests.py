"""The shape of what is sent: types, bounds, no unknown fields. What it means, the services judge."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.api.texts import check_text
from apps.containers.services import FILES

NAME = 255
"""Characters of names and addresses; the services have narrower rules and say them better."""
LONG = 32 * 1024


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt one must not pass in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(key) for key in data if key not in self.fields)
            if unknown:
                fields = ", ".join(self.fields) or "none"
                text = f"There is no such field; there are: {fields}."
                raise ValidationError({key[:NAME]: [text] for key in unknown}, code="unknown_field")
        return super().to_internal_value(data)


class Texts(serializers.DictField):
    """{name: text}; both bounded, and storable in every database."""

    child = serializers.CharField(allow_blank=True, max_length=LONG, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        if isinstance(data, Mapping):
            if len(data) > 256:
                raise ValidationError("Give at most 256 entries.")
            for key in data:
                problem = check_text(str(key)) or (None if 1 <= len(str(key)) <= NAME else "bad length")
                if problem:
                    raise ValidationError(f"Names have 1 to {NAME} characters, none of them NUL.")
        return super().to_internal_value(data)


def text(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(max_length=NAME, **kwargs)


def optional_text() -> serializers.CharField:
    return text(required=False, allow_null=True, default=None)


def texts() -> serializers.ListField:
    return serializers.ListField(child=text(), required=False, max_length=256, default=list)


def command(**kwargs: Any) -> serializers.ListField:
    child = serializers.CharField(max_length=LONG, allow_blank=True, trim_whitespace=False)
    return serializers.ListField(child=child, max_length=1024, **kwargs)


def seconds(**kwargs: Any) -> serializers.FloatField:
    return serializers.FloatField(min_value=0, max_value=3600, **kwargs)


class SubnetCreate(Strict):
    subnet = optional_text()
    gateway = optional_text()
    ip_range = optional_text()
    aux_addresses = Texts(required=False, default=dict)


class NetworkCreate(Strict):
    name = text()
    host = optional_text()
    driver = text(required=False, default="bridge")
    subnets = serializers.ListField(child=SubnetCreate(), required=False, max_length=16, default=list)
    internal = serializers.BooleanField(required=False, default=False)
    enable_ipv6 = serializers.BooleanField(required=False, default=False)
    options = Texts(required=False, default=dict)
    labels = Texts(required=False, default=dict)


class NetworkUpdate(Strict):
    labels = Texts()


class Attachment(Strict):
    """How a container is attached to a network."""

    ipv4_address = optional_text()
    ipv6_address = optional_text()
    mac_address = optional_text()
    aliases = texts()
    links = texts()
    gateway_priority = serializers.IntegerField(
        required=False, default=0, min_value=-(2**31), max_value=2**31 - 1
    )


class Connect(Attachment):
    container = text()


class EndpointCreate(Connect):
    network = text()


class EndpointRemove(Strict):
    """An endpoint by its id, or by its network and container."""

    id = optional_text()
    network = optional_text()
    container = optional_text()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name, value in attrs.items() if value is not None]
        if named not in (["id"], ["network", "container"]):
            raise ValidationError("Give either the id, or the network and the container.")
        return attrs


class ContainerNetwork(Attachment):
    network = text()


class Disconnect(Strict):
    container = text()
    force = serializers.BooleanField(required=False, default=False)


class Prune(Strict):
    host = optional_text()
    labels = texts()


class ContainerCreate(Strict):
    name = optional_text()
    host = optional_text()
    networks = serializers.ListField(
        child=ContainerNetwork(),
        required=False,
        allow_null=True,
        allow_empty=False,
        max_length=64,
        default=None,
        help_text="Missing or null: the default bridge.",
    )
    hostname = optional_text()
    image = serializers.CharField(
        max_length=NAME,
        required=False,
        allow_blank=True,
        default="",
        help_text="Of the host's store, by name or id; empty: the process runs in the host's own root directory.",
    )
    entrypoint = command(
        required=False, allow_null=True, default=None, help_text="In place of the image's; [] for none."
    )
    user = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="NAME or UID[:GROUP] of the image.",
    )
    working_dir = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")
    command = command(required=False, default=list)
    env = Texts(required=False, default=dict)
    labels = Texts(required=False, default=dict)
    stop_timeout = seconds(required=False, default=10.0)
    restart = text(
        required=False,
        default="no",
        help_text="When its process ends by itself: no, on-failure[:TIMES], always or unless-stopped.",
    )
    ports = serializers.ListField(
        child=text(),
        required=False,
        max_length=1024,
        default=list,
        help_text="Published ports, each [[ADDRESS:]HOST_PORT:]PORT[/udp]; ranges FIRST-LAST.",
    )
    dns = serializers.ListField(
        child=text(),
        required=False,
        max_length=FILES["dns"],
        default=list,
        help_text="Servers for unknown names.",
    )
    dns_search = serializers.ListField(
        child=text(), required=False, max_length=FILES["dns_search"], default=list
    )
    dns_options = serializers.ListField(
        child=text(), required=False, max_length=FILES["dns_options"], default=list
    )
    extra_hosts = serializers.ListField(
        child=text(),
        required=False,
        max_length=FILES["extra_hosts"],
        default=list,
        help_text="Lines of hosts, each NAME:ADDRESS.",
    )
    sysctls = Texts(required=False, default=dict, help_text="Of its network namespace: net.…")
    start = serializers.BooleanField(required=False, default=False)


class Stop(Strict):
    timeout = seconds(required=False, allow_null=True, default=None)


class ImageTag(Strict):
    name = text()


class Rename(Strict):
    name = text()


class Exec(Strict):
    command = command(allow_empty=False)
    env = Texts(required=False, default=dict)
    user = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="NAME or UID[:GROUP] of the image.",
    )
    working_dir = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")
    timeout = serializers.FloatField(min_value=0.1, max_value=60, required=False, default=30.0)


class PoolCreate(Strict):
    name = serializers.CharField(max_length=63)
    space = serializers.ChoiceField(choices=["local", "global"], required=False, default="local")
    base = text()
    size = serializers.IntegerField(min_value=0, max_value=128)
    position = serializers.IntegerField(required=False, default=0, min_value=-(2**31), max_value=2**31 - 1)


class TokenCreate(Strict):
    name = serializers.CharField(max_length=100)
    expires = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Null: never; missing: when the server's usual time is over.",
    )


class CertificateCreate(Strict):
    name = serializers.CharField(max_length=100)
    request = serializers.CharField(
        max_length=16 * 1024, help_text="PEM of a request to certify an elliptic key."
    )
    user = optional_text()
    expires = serializers.DateTimeField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Missing: when the server's usual time is over.",
    )


class GrantCreate(Strict):
    team = serializers.CharField(max_length=150)
    network = optional_text()
    label = optional_text()  # type: ignore[assignment]  # Of what is asked for, not the serializer's own.
    value = serializers.CharField(
        max_length=255, required=False, allow_null=True, allow_blank=True, default=None
    )
    commands = serializers.BooleanField(required=False, default=False)


class HostCreate(Strict):
    name = serializers.CharField(max_length=63)
    advertise = optional_text()


class HostUpdate(Strict):
    advertise = text(allow_null=True)


class Join(Strict):
    """See `workers/contract/joining.py`."""

    key = serializers.CharField(max_length=16)
    nonce = serializers.RegexField(r"\A[0-9a-f]{32}\Z")
    at = serializers.FloatField()
    proof = serializers.RegexField(r"\A[0-9a-f]{64}\Z")
    version = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")


class SignIn(Strict):
    name = text()
    password = serializers.CharField(max_length=NAME, trim_whitespace=False)
