"""Networks and what attaches containers to them."""

from django.db import models

from apps.containers.models import Container, new_id
from apps.hosts.models import Host


class Driver(models.TextChoices):
    BRIDGE = "bridge"
    HOST = "host"
    NULL = "null"


class Network(models.Model):
    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="networks")
    name = models.CharField(max_length=128)
    driver = models.CharField(max_length=16, choices=Driver, default=Driver.BRIDGE)
    predefined = models.BooleanField(default=False, editable=False)
    internal = models.BooleanField(default=False)
    enable_ipv6 = models.BooleanField(default=False)
    options = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    removing = models.BooleanField(default=False, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    applied = models.BooleanField(default=False, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ["created", "id"]
        constraints = [models.UniqueConstraint(fields=["host", "name"], name="network_name_once_a_host")]
        indexes = [
            models.Index(fields=["host", "revision"]),
            models.Index(fields=["host"], condition=models.Q(applied=False), name="network_unsettled"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        return "local"

    @property
    def default(self) -> bool:
        """The predefined bridge, on which names and requested addresses do not work."""
        return self.predefined and self.driver == Driver.BRIDGE


class Endpoint(models.Model):
    """A container's attachment to a network."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="endpoints")
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="endpoints")
    container = models.ForeignKey(Container, on_delete=models.PROTECT, related_name="endpoints")
    index = models.PositiveSmallIntegerField(null=True, help_text="N of ethN; none without an interface.")
    order = models.BigIntegerField(help_text="Order of connection on the host: the lower came first.")
    priority = models.IntegerField(default=0, help_text="The highest gives the default route.")
    mac = models.CharField(max_length=17, blank=True)
    ipv4 = models.GenericIPAddressField(protocol="IPv4", null=True)
    ipv4_prefix = models.PositiveSmallIntegerField(default=0)
    ipv6 = models.GenericIPAddressField(protocol="IPv6", null=True)
    ipv6_prefix = models.PositiveSmallIntegerField(default=0)
    requested_ipv4 = models.BooleanField(default=False)
    requested_ipv6 = models.BooleanField(default=False)
    requested_mac = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    removing = models.BooleanField(default=False, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    applied = models.BooleanField(default=False, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ["order", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "container"],
                condition=models.Q(removing=False),
                name="container_once_on_a_network",
            ),
            models.UniqueConstraint(
                fields=["container", "index"],
                condition=models.Q(removing=False),
                name="interface_index_once_in_a_container",
            ),
        ]
        indexes = [
            models.Index(fields=["host", "revision"]),
            models.Index(fields=["host"], condition=models.Q(applied=False), name="endpoint_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.container} on {self.network}"

    @property
    def interface(self) -> str:
        return "" if self.index is None else f"eth{self.index}"


class Alias(models.Model):
    """A network-scoped name that an endpoint offers to everybody on that network."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=63, db_index=True)

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [models.UniqueConstraint(fields=["endpoint", "name"], name="alias_once_an_endpoint")]

    def __str__(self) -> str:
        return self.name


class Link(models.Model):
    """A name that only the linking endpoint sees, in that network only."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="links")
    target = models.CharField(max_length=64, help_text="A container's name or id; it may not exist yet.")
    alias = models.CharField(max_length=63)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "alias"], name="link_alias_once_an_endpoint")
        ]

    def __str__(self) -> str:
        return f"{self.target}:{self.alias}"
