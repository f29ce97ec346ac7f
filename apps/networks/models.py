"""Networks and what attaches containers to them."""

from django.db import models

from apps.containers.models import Container, new_id
from apps.hosts.models import Host


class Driver(models.TextChoices):
    BRIDGE = "bridge"
    OVERLAY = "overlay"
    MACVLAN = "macvlan"
    HOST = "host"
    NULL = "null"


WIRED = (Driver.BRIDGE, Driver.OVERLAY, Driver.MACVLAN)
"""Drivers whose endpoints have an interface."""


class Network(models.Model):
    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    host = models.ForeignKey(
        Host,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="networks",
        help_text="None: it spans hosts.",
    )
    name = models.CharField(max_length=128)
    driver = models.CharField(max_length=16, choices=Driver, default=Driver.BRIDGE)
    predefined = models.BooleanField(default=False, editable=False)
    internal = models.BooleanField(default=False)
    enable_ipv6 = models.BooleanField(default=False)
    options = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    given = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="What else a Docker client asked for, to be shown to such clients.",
    )
    created = models.DateTimeField(auto_now_add=True)
    mtu = models.PositiveIntegerField(
        default=0, editable=False, help_text="Of an overlay's interfaces, in bytes."
    )

    # Of a network of one host. An overlay is told to each of its hosts, see Membership.
    removing = models.BooleanField(default=False, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    applied = models.BooleanField(default=False, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)

    # Of an overlay: counts the changes of its peers; raised under the row's lock (see services.peers).
    feed = models.BigIntegerField(default=0, editable=False)
    feed_changed = models.DateTimeField(null=True, editable=False)
    feed_floor = models.BigIntegerField(
        default=0,
        editable=False,
        help_text="Up to here departed peers are forgotten: since then only a whole list.",
    )

    class Meta:
        ordering = ["created", "id"]
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="network_name_once_a_host"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(host=None), name="network_name_once_over_all"
            ),
        ]
        indexes = [
            models.Index(fields=["host", "revision"]),
            models.Index(fields=["host"], condition=models.Q(applied=False), name="network_unsettled"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        return "global" if self.spans_hosts else "local"

    @property
    def spans_hosts(self) -> bool:
        return self.driver == Driver.OVERLAY

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
    order = models.BigIntegerField(help_text="Order of connection, over all hosts: the lower came first.")
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
            # A page of a long list is read in this order, and no more of it.
            models.Index(fields=["order", "id"], name="endpoint_in_order"),
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


class Segment(models.Model):
    """One VXLAN of an overlay network: its `position`-th IPv4 subnet, and the IPv6 one of the same position."""

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="segments")
    position = models.PositiveSmallIntegerField()
    vni = models.PositiveIntegerField(unique=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["network", "position"], name="segment_once")]

    def __str__(self) -> str:
        return f"VNI {self.vni}"


class Membership(models.Model):
    """An overlay network on one of its hosts: there as long as the host has an endpoint on it."""

    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="memberships")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="memberships")
    acked_feed = models.BigIntegerField(default=0, editable=False)

    removing = models.BooleanField(default=False, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    applied = models.BooleanField(default=False, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "host"], name="member_once")]
        indexes = [
            models.Index(fields=["host", "revision"]),
            models.Index(fields=["host"], condition=models.Q(applied=False), name="membership_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.network} on {self.host}"


class Peer(models.Model):
    """What the other hosts of an overlay are told of an endpoint that runs, or did until a while ago."""

    endpoint = models.CharField(
        primary_key=True, max_length=64, help_text="Its id; it may be forgotten by now."
    )
    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="peers")
    host = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="peers")
    container = models.CharField(max_length=64)
    tunnel = models.GenericIPAddressField(help_text="The advertise address of its host.")
    mac = models.CharField(max_length=17)
    ipv4 = models.GenericIPAddressField(protocol="IPv4", null=True)
    ipv6 = models.GenericIPAddressField(protocol="IPv6", null=True)
    names = models.JSONField(default=list)
    order = models.BigIntegerField()
    revision = models.BigIntegerField(help_text="Of the network's feed.")
    gone = models.BooleanField(default=False)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["revision"]
        indexes = [
            models.Index(fields=["network", "revision"]),
            models.Index(fields=["changed"], condition=models.Q(gone=True), name="peer_departed"),
        ]

    def __str__(self) -> str:
        return self.endpoint


class Counter(models.Model):
    """The last number given; its row is also the lock for what networks over all hosts share."""

    name = models.CharField(primary_key=True, max_length=16)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
