"""Containers: things with a network namespace on one host."""

import secrets

from django.db import models

from apps.hosts.models import Host


def new_id() -> str:
    """64 hex digits, as people know them from Docker."""
    return secrets.token_hex(32)


class Container(models.Model):
    class Wanted(models.TextChoices):
        CREATED = "created"
        RUNNING = "running"
        STOPPED = "stopped"
        REMOVING = "removing"

    class State(models.TextChoices):
        CREATED = "created"
        STARTING = "starting"
        RUNNING = "running"
        RESTARTING = "restarting"
        STOPPING = "stopping"
        EXITED = "exited"
        FAILED = "failed"
        REMOVING = "removing"

    class Restart(models.TextChoices):
        NO = "no"
        ON_FAILURE = "on-failure"
        ALWAYS = "always"
        UNLESS_STOPPED = "unless-stopped"

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="containers")
    name = models.CharField(max_length=63)
    hostname = models.CharField(max_length=63)
    host_network = models.BooleanField(default=False, help_text="Shares the host's network namespace.")
    image = models.CharField(
        max_length=64, blank=True, help_text="Id of the image in its host's store; none: the host's own root."
    )
    image_name = models.CharField(max_length=255, blank=True, help_text="As it was asked for.")
    entrypoint = models.JSONField(default=list, blank=True, help_text="Comes before the command.")
    command = models.JSONField(default=list, blank=True)
    env = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    terminal = models.BooleanField(default=False)
    open_stdin = models.BooleanField(default=False)
    working_dir = models.CharField(max_length=1000, blank=True)
    user = models.CharField(max_length=64, blank=True)
    dns = models.JSONField(default=list, blank=True, help_text="Servers that unknown names are asked of.")
    dns_search = models.JSONField(default=list, blank=True)
    dns_options = models.JSONField(default=list, blank=True)
    extra_hosts = models.JSONField(default=list, blank=True, help_text="Each name:address.")
    sysctls = models.JSONField(default=dict, blank=True)
    auto_remove = models.BooleanField(default=False, help_text="It goes when its process ends.")
    given = models.JSONField(
        default=dict,
        blank=True,
        help_text="What else a Docker client asked for, to be shown to such clients.",
    )
    stop_signal = models.CharField(max_length=16, blank=True, help_text="What asks it to end; none: SIGTERM.")
    stop_timeout = models.FloatField(default=10.0, help_text="Seconds between SIGTERM and SIGKILL.")
    restart_policy = models.CharField(
        max_length=16,
        choices=Restart,
        default=Restart.NO,
        help_text="Whether its host begins the process again when it has ended by itself.",
    )
    restart_limit = models.PositiveIntegerField(
        default=0, help_text="How often after a failure; 0: without end."
    )
    created = models.DateTimeField(auto_now_add=True)

    wanted = models.CharField(max_length=16, choices=Wanted, default=Wanted.CREATED)
    incarnation = models.PositiveIntegerField(default=0, editable=False, help_text="Raised at each start.")
    revision = models.BigIntegerField(default=0, editable=False)

    applied = models.BooleanField(default=False, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.CREATED, editable=False)
    restart_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="How often since its start."
    )
    exit_code = models.IntegerField(null=True, editable=False)
    exit_message = models.CharField(max_length=500, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    started = models.DateTimeField(null=True, editable=False)
    finished = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["created", "id"]
        constraints = [models.UniqueConstraint(fields=["host", "name"], name="container_name_once_a_host")]
        indexes = [
            models.Index(fields=["host", "revision"]),
            models.Index(fields=["host"], condition=models.Q(applied=False), name="container_unsettled"),
            # Of those in a state, the ones of which it is not known how they ended.
            models.Index(
                fields=["state"], condition=models.Q(exit_code__isnull=True), name="container_end_unknown"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def up(self) -> bool:
        """Its namespace is there, and its process runs or is about to."""
        return self.state in (self.State.RUNNING, self.State.RESTARTING)

    @property
    def running(self) -> bool:
        """It should be running, as far as the server knows."""
        return self.wanted == self.Wanted.RUNNING

    @property
    def has_process(self) -> bool:
        """Else it is a namespace that others use."""
        return bool(self.command or self.entrypoint)


class PublishedPort(models.Model):
    """A port of a container that its host offers as one of its own; see `ports`."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+", help_text="The container's.")
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="ports")
    port = models.PositiveIntegerField(help_text="Inside the container.")
    protocol = models.CharField(max_length=4, choices=[("tcp", "tcp"), ("udp", "udp")])
    address = models.CharField(max_length=39, blank=True, help_text="Of the host; empty: all.")
    first = models.PositiveIntegerField(default=0, help_text="Asked for: one from here on; 0: chosen.")
    last = models.PositiveIntegerField(default=0)
    host_port = models.PositiveIntegerField(null=True, editable=False, help_text="Given at the last start.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["host", "host_port"], name="port_by_number")]

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol}"
