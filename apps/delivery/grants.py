"""Granting teams what they may change, and taking it back; part of the history like every change."""

from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.models import Grant
from apps.accounts.roles import OPERATORS
from apps.common.errors import Conflict, Invalid, NotFound
from apps.delivery.changes import Change, record
from apps.networks.models import Network


def add(
    change: Change,
    *,
    team: str,
    network: Network | None = None,
    label: str | None = None,
    value: str | None = None,
    commands: bool = False,
) -> Grant:
    """Let the members of `team` change the network, or whatever bears `label`; `value` None: with any value."""
    if (network is None) == (not label):
        raise Invalid("bad_grant", "Grant either one network or one label.", "network")
    if network is not None and value is not None:
        raise Invalid("bad_grant", "A value goes with a label.", "value")
    group = Group.objects.filter(name=team).exclude(name=OPERATORS).first()
    if group is None:
        raise NotFound(
            "team_not_found",
            f"There is no team {team!r}; make it, and put people in it, in the admin.",
            "team",
        )
    fields = {"team": group, "network": network.pk if network else "", "label": label or "", "value": value}
    with transaction.atomic():
        if Grant.objects.filter(**fields).exists():
            raise Conflict("granted_already", f"Team {team} has this grant already.", "team")
        grant = Grant.objects.create(**fields, commands=commands)
        record(change, grant, None)
    return grant


def remove(change: Change, grant: Grant) -> None:
    """From now on the team may not change that any more; what it made stays."""
    with transaction.atomic():
        record(change, grant, None)
        grant.delete()
