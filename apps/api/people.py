"""What REST shows of accounts: tokens, teams' grants, and who one is here."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from apps.accounts.models import ApiToken, ClientCertificate, Failure, Grant
from apps.accounts.roles import Role
from apps.accounts.throttle import WINDOW, limit_of


class TokenOut(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "key", "created", "expires", "last_used"]


class NewToken(TokenOut):
    """With the text that is shown this once."""

    token = serializers.SerializerMethodField()

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "token"]

    def get_token(self, token: ApiToken) -> str:
        return str(self.context["text"])


class CertificateOut(serializers.ModelSerializer[ClientCertificate]):
    user = serializers.CharField(source="user.username", help_text="Whom the Docker Engine API takes it for.")

    class Meta:
        model = ClientCertificate
        fields = ["id", "name", "user", "fingerprint", "created", "expires", "last_used"]


class NewCertificate(CertificateOut):
    """With what is to be kept where the key is, all PEM."""

    certificate = serializers.SerializerMethodField()
    authority = serializers.SerializerMethodField(help_text="By which clients know the server.")

    class Meta(CertificateOut.Meta):
        fields = [*CertificateOut.Meta.fields, "certificate", "authority"]

    def get_certificate(self, _: ClientCertificate) -> str:
        return str(self.context["certificate"])

    def get_authority(self, _: ClientCertificate) -> str:
        return str(self.context["authority"])


class GrantOut(serializers.ModelSerializer[Grant]):
    team = serializers.CharField(source="team.name")
    network = serializers.CharField(help_text="Id of a network; empty: whatever bears the label.")
    network_name = serializers.SerializerMethodField(help_text="Null: gone, or the grant is of a label.")
    members = serializers.SerializerMethodField(help_text="Names of the accounts in the team.")

    class Meta:
        model = Grant
        fields = ["id", "team", "network", "network_name", "label", "value", "commands", "members", "created"]

    def get_network_name(self, grant: Grant) -> str | None:
        names: dict[str, str] = self.context["names"]
        return names.get(grant.network)

    def get_members(self, grant: Grant) -> list[str]:
        return sorted(user.username for user in grant.team.user_set.all())


class FailureOut(serializers.ModelSerializer[Failure]):
    locked = serializers.SerializerMethodField(help_text="Nobody signs in so before its time is over.")

    class Meta:
        model = Failure
        fields = ["id", "account", "address", "count", "since", "locked"]

    def get_locked(self, failure: Failure) -> bool:
        return failure.count >= limit_of(failure) and failure.since > datetime.now(UTC) - WINDOW


class Me(serializers.Serializer[Any]):
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=[role.value for role in Role])
    granted = serializers.BooleanField(
        help_text="A team of yours may change something: what, /rights/ says of each network and container."
    )


class RightsOut(serializers.Serializer[Any]):
    """What the caller may do to a network or a container."""

    change = serializers.BooleanField(
        help_text="Change it, remove it, connect it to what may be changed too."
    )
    commands = serializers.BooleanField(help_text="Run commands in the container.")
    endpoints = serializers.ListField(
        child=serializers.CharField(), help_text="Ids of its endpoints that may be disconnected."
    )
