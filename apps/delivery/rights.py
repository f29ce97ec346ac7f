"""Who may change what, decided in this one place: whatever its face, a change passes `demand` on its way.

Administrators change everything, operators all but machines, pools and grants. Members of teams change what their
grants cover: a network by its id or label, a container by its label or because all networks that it is on are covered.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from apps.accounts.models import Grant
from apps.accounts.roles import Role, account, role_of
from apps.common.errors import Forbidden
from apps.containers.models import Container
from apps.networks.models import Driver, Endpoint, Network

ADMINISTRATORS = frozenset(
    {
        "grant.add",
        "grant.remove",
        "host.add",
        "host.move",
        "host.remove",
        "host.renew",
        "host.revoke",
        "host.set",
        "pool.change",
        "pool.create",
        "pool.remove",
    }
)
"""Actions for nobody else."""
HARMLESS = frozenset(
    {
        "container.kill",
        "container.remove",
        "container.rename",
        "container.restart",
        "container.start",
        "container.stop",
    }
)
"""What may be done to a container without choosing what runs in it. All else a grant must allow by itself: a process
has only a network of its own, and is root on its host."""
Person = AbstractBaseUser | AnonymousUser | None


def demand(actor: Person, action: str, *subjects: models.Model) -> None:
    """Forbidden unless `actor` may do this to all `subjects`, as they are inside the transaction of the change.

    They are what came of it: a network just made, endpoints just connected or on their way out.
    None as actor is the server itself.
    """
    if actor is None:
        return
    role = role_of(actor)
    if role is Role.ADMIN:
        return
    if action in ADMINISTRATORS:
        raise Forbidden("administrators_only", "Only administrators may do this.")
    if role is not Role.OPERATOR:
        Reach.of(actor).demand(action, subjects)


def may(actor: Person, action: str, subject: models.Model) -> bool:
    """The same as an answer."""
    try:
        demand(actor, action, subject)
    except Forbidden:
        return False
    return True


@dataclass(frozen=True)
class StillMay:
    """Whether somebody may do this to the container as it is then. What is gone needs no right any more."""

    action: str
    container: str

    def __call__(self, actor: Person) -> bool:
        current = Container.objects.filter(pk=self.container).first()
        return current is None or may(actor, self.action, current)


def removable_endpoints(actor: Person, subject: Network | Container) -> list[str]:
    """Ids of the endpoints of `subject` that `actor` may disconnect."""
    endpoints = subject.endpoints.filter(removing=False).select_related("network", "container")
    if role_of(actor) in (Role.ADMIN, Role.OPERATOR):
        return list(endpoints.values_list("pk", flat=True))
    reach = Reach.of(actor)
    shown = endpoints.prefetch_related("container__endpoints__network")
    return [
        each.pk
        for each in shown
        if reach.covers_endpoint("endpoint.disconnect", each, each.container.endpoints.all())
    ]


@dataclass(frozen=True)
class Reach:
    """What somebody's grants cover."""

    grants: tuple[Grant, ...]

    @classmethod
    def of(cls, actor: Person) -> "Reach":
        if role_of(actor) is None:
            return cls(())
        return cls(tuple(Grant.objects.filter(team__user=account(actor))))

    def demand(self, action: str, subjects: Sequence[models.Model]) -> None:
        endpoints = [subject for subject in subjects if isinstance(subject, Endpoint)]
        others = _others_of(endpoints) if endpoints else {}
        for subject in subjects:
            match subject:
                case Network():
                    # The parent of a macvlan is a link of the host: who is on it is in the host's own surroundings.
                    covered = self.covers(subject) and (action, subject.driver) != (
                        "network.create",
                        Driver.MACVLAN,
                    )
                case Endpoint():
                    covered = self.covers_endpoint(action, subject, others[subject.container_id])
                case Container():
                    covered = self.covers_change(action, subject)
                case _:
                    covered = False
            if not covered:
                raise Forbidden(
                    "not_granted",
                    "Your role and the grants of your teams do not allow this; ask an administrator.",
                )

    def covers(self, subject: Network | Container) -> bool:
        """By id or label."""
        return any(
            subject.labels.get(grant.label) == grant.value
            if grant.value is not None
            else grant.label in subject.labels
            for grant in self.grants
            if grant.label
        ) or any(grant.network == subject.pk for grant in self.grants if grant.network)

    def covers_container(self, container: Container, networks: list[Network]) -> bool:
        """By its label, or by all `networks` that it is on."""
        return self.covers(container) or (bool(networks) and all(map(self.covers, networks)))

    def covers_endpoint(self, action: str, endpoint: Endpoint, others: Iterable[Endpoint]) -> bool:
        """The right to its network and to its container, which has `others` too.

        A new endpoint gives no right to a container that one had none to; one that goes takes none away.
        """
        networks = [each.network for each in others if each.pk != endpoint.pk]
        if action != "endpoint.connect":
            networks.append(endpoint.network)
        return self.covers(endpoint.network) and self.covers_container(endpoint.container, networks)

    def covers_change(self, action: str, container: Container) -> bool:
        networks = [each.network for each in container.endpoints.select_related("network")]
        chooses = action not in HARMLESS
        if action == "container.create":
            if not all(map(self.covers, networks)):
                return False
            chooses = bool(container.command or container.entrypoint or container.image)
        reach = Reach(tuple(grant for grant in self.grants if grant.commands)) if chooses else self
        return self.covers_container(container, networks) and reach.covers_container(container, networks)


def _others_of(endpoints: Collection[Endpoint]) -> dict[str, list[Endpoint]]:
    """What their containers have besides them, by container: endpoints that come with one change give no right to each
    other."""
    others: dict[str, list[Endpoint]] = {endpoint.container_id: [] for endpoint in endpoints}
    found = Endpoint.objects.filter(container__in=list(others)).select_related("network").order_by()
    for other in found.exclude(pk__in=[endpoint.pk for endpoint in endpoints]):
        others[other.container_id].append(other)
    return others
