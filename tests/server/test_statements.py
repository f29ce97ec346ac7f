"""Statements whose spelling is kept: they find and change what the ORM's own would, on the way of every change."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from apps.common.statements import FEW, Update, delete_once, select_once, update_and_read_once, update_once
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Alias

pytestmark = pytest.mark.django_db


@pytest.fixture
def containers(node1: Host) -> list[Container]:
    made = [Container(host=node1, name=f"c{number}", labels={"n": [number]}) for number in range(2 * FEW)]
    return Container.objects.bulk_create(made)


def find_all(keys: tuple[str, ...]) -> QuerySet[Container]:
    return Container.objects.filter(pk__in=keys).select_related("host").order_by("name")


@pytest.mark.parametrize("count", [0, 1, 2, FEW, FEW + 1])
def test_rows_and_what_comes_with_them_are_as_the_orm_reads_them(
    containers: list[Container], count: int
) -> None:
    keys = tuple(container.pk for container in containers[:count])
    ask = select_once(find_all)
    ask(keys[::-1])
    with CaptureQueriesContext(connection) as queries:
        found = ask(keys)
        assert [vars(one) | {"_state": None} for one in found] == [
            vars(one) | {"_state": None} for one in find_all(keys)
        ]
        assert [vars(one.host) | {"_state": None} for one in found] == [
            vars(one.host) | {"_state": None} for one in find_all(keys)
        ]
    assert len(queries) == (3 if count else 0), "the host came along"


def test_a_spelling_is_kept_for_each_length_of_a_short_list(containers: list[Container]) -> None:
    spelt: list[int] = []

    def find(keys: tuple[str, ...], host: UUID) -> QuerySet[Container]:
        spelt.append(len(keys))
        return Container.objects.filter(pk__in=keys, host=host)

    ask = select_once(find)
    keys = tuple(container.pk for container in containers)
    for count in (1, 2, 1, 2, FEW + 1, FEW + 1):
        assert {one.pk for one in ask(keys[:count], containers[0].host_id)} == set(keys[:count])
    assert spelt == [1, 2, FEW + 1, FEW + 1]


def test_values_of_every_sort_are_stored_as_the_orm_stores_them(node1: Host) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)

    @update_once
    def tell(
        key: UUID, at: datetime | None, problems: list[str], look: dict[str, int], hushed: bool
    ) -> Update[Host]:
        news = {"last_seen": at, "problems": problems, "look": look, "hushed": hushed}
        return Update(Host.objects.filter(pk=key), news)

    assert tell(node1.pk, at, ["it's", "%s"], {"took_ms": 3}, True) == 1
    node1.refresh_from_db()
    assert (node1.last_seen, node1.problems, node1.look, node1.hushed) == (
        at,
        ["it's", "%s"],
        {"took_ms": 3},
        True,
    )
    assert tell(node1.pk, None, [], {}, False) == 1
    node1.refresh_from_db()
    assert (node1.last_seen, node1.problems, node1.look, node1.hushed) == (None, [], {}, False)


def test_a_change_returns_its_rows_as_they_are_then(node1: Host) -> None:
    @update_and_read_once
    def count(key: UUID) -> Update[Host]:
        return Update(Host.objects.filter(pk=key), {"revision": F("revision") + 1})

    before = Host.objects.get(pk=node1.pk).revision
    for _ in range(2):
        (host,) = count(node1.pk)
        recorded = Host.objects.get(pk=node1.pk)
        assert vars(host) | {"_state": None} == vars(recorded) | {"_state": None}
    assert host.revision == before + 2
    assert count(Host().pk) == []


def test_only_the_rows_that_are_meant_are_deleted(containers: list[Container]) -> None:
    @delete_once
    def forget(keys: tuple[str, ...]) -> QuerySet[Container]:
        return Container.objects.filter(pk__in=keys)

    keys = [container.pk for container in containers]
    assert [forget(()), forget((keys[0],)), forget((keys[1],)), forget(tuple(keys[2:]))] == [
        0,
        1,
        1,
        len(keys) - 2,
    ]
    assert not Container.objects.exists()


def test_a_lookup_that_would_keep_its_first_value_is_refused() -> None:
    with pytest.raises(TypeError, match="became a value"):
        select_once(lambda endpoints: Alias.objects.filter(endpoint__in=endpoints))(("0" * 64,))
