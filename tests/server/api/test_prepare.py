import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command

from apps.hosts.models import Host
from apps.networks.models import Network

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Any:
    settings.ENVIRONMENT = replace(
        settings.ENVIRONMENT, state_dir=tmp_path, host_name="node7", admin_password=None
    )
    return settings


def prepare() -> dict[str, Any]:
    out = io.StringIO()
    call_command("prepare", stdout=out)
    said: dict[str, Any] = json.loads(out.getvalue())
    return said


def test_the_first_time_makes_host_networks_accounts_and_worker_settings(place: Any) -> None:
    said = prepare()
    host = Host.objects.get(name="node7")
    assert said == {"host": "node7", "user": "admin", "password": said["password"]}
    assert User.objects.get(username="admin", is_superuser=True).check_password(said["password"])
    assert Group.objects.filter(name="operators").exists()
    assert set(Network.objects.values_list("name", flat=True)) == {"bridge", "host", "none"}
    path = place.ENVIRONMENT.worker_configuration
    assert path.stat().st_mode & 0o777 == 0o600
    configuration = json.loads(path.read_text())
    assert (configuration["host"], configuration["key"], configuration["epoch"]) == (
        "node7",
        host.key,
        host.epoch,
    )
    assert configuration["redis_url"] == place.ENVIRONMENT.channel_url


def test_the_second_time_changes_nothing(place: Any) -> None:
    prepare()
    path = place.ENVIRONMENT.worker_configuration
    before, revision = path.stat().st_ino, Host.objects.get().revision
    assert prepare() == {"host": "node7", "user": "admin", "password": None}
    assert (path.stat().st_ino, Host.objects.get().revision) == (before, revision)


def test_a_password_that_is_given_becomes_the_administrators_and_is_not_printed(place: Any) -> None:
    prepare()
    place.ENVIRONMENT = replace(place.ENVIRONMENT, admin_password="given by a person")
    assert prepare()["password"] is None
    assert User.objects.get(username="admin").check_password("given by a person")
