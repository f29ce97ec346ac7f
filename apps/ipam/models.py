"""What is stored of pools, subnets and addresses.

Addresses are stored as 16 packed bytes (`cidr.pack`), of which the byte order is the address order in SQLite
and PostgreSQL alike. `space` and `holder` are opaque words of the caller: no networks, no hosts in this app.
"""

from django.db import models

PACKED = 16
TEXT = 43
"""Characters of the longest block, eight groups of IPv6 and /128."""


class Pool(models.Model):
    """A block from which automatic subnets are cut."""

    class Space(models.TextChoices):
        LOCAL = "local", "networks of one host"
        GLOBAL = "global", "networks that span hosts"

    name = models.CharField(max_length=63, unique=True)
    space = models.CharField(max_length=8, choices=Space, default=Space.LOCAL)
    base = models.CharField(max_length=TEXT, help_text="The block, e.g. 172.20.0.0/14.")
    size = models.PositiveSmallIntegerField(help_text="Prefix length of each subnet cut from it.")
    position = models.IntegerField(
        default=0, help_text="Lower ones are used up first; equal ones by their addresses."
    )

    class Meta:
        ordering = ["space", "position", "id"]

    def __str__(self) -> str:
        return f"{self.base} in /{self.size}"


class Subnet(models.Model):
    """One block, which overlaps no other block of its space."""

    class Family(models.IntegerChoices):
        IPV4 = 4, "IPv4"
        IPV6 = 6, "IPv6"

    space = models.CharField(max_length=64, help_text="Where no two blocks may overlap, e.g. one host.")
    holder = models.CharField(max_length=64, help_text="Whose block it is.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order among the holder's blocks.")
    cidr = models.CharField(max_length=TEXT)
    family = models.PositiveSmallIntegerField(choices=Family)
    first = models.BinaryField(max_length=PACKED)
    last = models.BinaryField(max_length=PACKED)
    gateway = models.CharField(max_length=39, null=True)
    range_cidr = models.CharField(max_length=TEXT, null=True)
    range_first = models.BinaryField(max_length=PACKED, null=True)
    range_last = models.BinaryField(max_length=PACKED, null=True)
    requested = models.BooleanField(default=False, help_text="Given by a person, not chosen from a pool.")
    requested_gateway = models.BooleanField(default=False, help_text="The gateway was given by a person.")

    class Meta:
        ordering = ["holder", "position", "id"]
        constraints = [
            # Also the index of the overlap search.
            models.UniqueConstraint(fields=["space", "family", "first"], name="subnet_once_in_a_space"),
        ]
        indexes = [models.Index(fields=["holder", "position"], name="subnet_by_holder")]

    def __str__(self) -> str:
        return self.cidr

    @property
    def prefix(self) -> int:
        """Prefix length in bits."""
        return int(self.cidr.rpartition("/")[2])


class Address(models.Model):
    """An address of a subnet that is not free."""

    class Purpose(models.TextChoices):
        EDGE = "edge", "network or broadcast address"
        GATEWAY = "gateway", "gateway"
        RESERVED = "reserved", "reserved by a person"
        ENDPOINT = "endpoint", "endpoint"

    subnet = models.ForeignKey(Subnet, on_delete=models.CASCADE, related_name="addresses", db_index=False)
    value = models.BinaryField(max_length=PACKED)
    text = models.CharField(max_length=39)
    purpose = models.CharField(max_length=8, choices=Purpose)
    name = models.CharField(max_length=255, blank=True, help_text="What a reserved address is for.")
    holder = models.CharField(max_length=64, blank=True, help_text="Which endpoint has it.")

    class Meta:
        verbose_name_plural = "addresses"
        ordering = ["subnet", "value"]
        constraints = [models.UniqueConstraint(fields=["subnet", "value"], name="address_once_in_a_subnet")]
        indexes = [models.Index(fields=["holder"], name="address_by_holder")]

    def __str__(self) -> str:
        return self.text


class FreeRange(models.Model):
    """Neighbouring free addresses of a subnet, as long a run as there is.

    The rows of a subnet are exactly what its addresses leave over. As runs do not touch each other, the first
    one whose `last` is not below x is the one that holds x, or the next one after it: one index answers
    everything. Taking a run's lowest address changes only `first`, so that the index is not even written.
    """

    subnet = models.ForeignKey(Subnet, on_delete=models.CASCADE, related_name="free_ranges", db_index=False)
    first = models.BinaryField(max_length=PACKED)
    last = models.BinaryField(max_length=PACKED)

    class Meta:
        ordering = ["subnet", "last"]
        constraints = [models.UniqueConstraint(fields=["subnet", "last"], name="free_range_end_once")]

    def __str__(self) -> str:
        return f"{bytes(self.first).hex()}-{bytes(self.last).hex()}"
