"""/containers of the Docker Engine API: shapes, statuses and words that its clients rely on."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container
from apps.docker_api.container_shapes import list_shapes, now, tell_span
from tests.server.docker_api.engine import Engine
from tests.server.docker_api.test_networks import create, running

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


async def names(engine: Engine, **query: Any) -> list[str]:
    listed = await engine.ask("GET", "/containers/json", **query)
    assert listed.status == 200, listed.body
    return [one["Names"][0] for one in listed.content]


@sync_to_async
def set_state(name: str, **fields: Any) -> None:
    Container.objects.filter(name=name).update(**fields)


async def test_a_container_is_shown_with_its_networks(engine: Engine) -> None:
    await create(engine, "lab", IPAM={"Config": [{"Subnet": "10.66.0.0/24"}]})
    identity = await running(
        "c1", networks=[{"network": "lab", "ipv4_address": "10.66.0.9", "aliases": ["db"]}]
    )
    await set_state("c1", state="running")
    shown = (await engine.ask("GET", "/containers/c1/json")).content
    assert (shown["Id"], shown["Name"], shown["State"]["Status"]) == (identity, "/c1", "running")
    assert shown["HostConfig"]["NetworkMode"] == "lab" and shown["NetworkSettings"]["SandboxKey"]
    attachment = shown["NetworkSettings"]["Networks"]["lab"]
    assert (attachment["IPAMConfig"], attachment["IPAddress"], attachment["Gateway"]) == (
        {"IPv4Address": "10.66.0.9"},
        "10.66.0.9",
        "10.66.0.1",
    )
    assert attachment["Aliases"] == ["db"] and attachment["DNSNames"][:2] == ["c1", "db"]
    (listed,) = (await engine.ask("GET", "/containers/json")).content
    assert listed["NetworkSettings"]["Networks"]["lab"] == attachment
    assert (listed["State"], listed["Names"]) == ("running", ["/c1"])
    assert listed["Status"].startswith("Up ")


async def test_the_default_bridge_is_repeated_on_top_for_older_clients(engine: Engine) -> None:
    await running("c1")
    await set_state("c1", state="running")
    old = (await engine.ask("GET", "/containers/c1/json")).content["NetworkSettings"]
    new = (await Engine(prefix="/v1.52").ask("GET", "/containers/c1/json")).content["NetworkSettings"]
    assert old["IPAddress"] == old["Networks"]["bridge"]["IPAddress"] == "172.17.0.2"
    assert "IPAddress" not in new and new["Networks"] == old["Networks"]


async def test_lists_are_filtered(engine: Engine) -> None:
    await create(engine, "lab")
    await running("first", labels={"team": "blue"})
    await running("second", networks=[{"network": "lab"}])
    await set_state("first", state="exited", wanted="stopped", exit_code=3)
    await set_state("second", state="running")
    assert await names(engine) == ["/second"]
    assert await names(engine, all="1") == ["/second", "/first"]
    assert await names(engine, all="1", limit="1") == ["/second"]
    for filters, wanted in (
        ({"status": ["exited"]}, ["/first"]),
        ({"exited": ["3"]}, ["/first"]),
        ({"network": ["lab"]}, ["/second"]),
        ({"name": ["^/sec"]}, ["/second"]),
        ({"label": ["team=blue"]}, ["/first"]),
        ({"before": ["second"]}, ["/first"]),
        ({"since": ["first"]}, ["/second"]),
    ):
        assert await names(engine, all="1", filters=filters) == wanted, filters
    for filters in ({"status": ["odd"]}, {"odd": ["x"]}):
        assert (await engine.ask("GET", "/containers/json", filters=filters)).status == 400


async def test_a_list_takes_as_many_queries_as_one(engine: Engine) -> None:
    @sync_to_async
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            list_shapes(list(Container.objects.prefetch_related("ports")), now())
        return len(queries)

    await running("c1")
    alone = await count()
    for number in range(2, 6):
        await running(f"c{number}")
    assert await count() == alone


async def test_it_is_started_stopped_renamed_and_removed(engine: Engine) -> None:
    await running("c1")
    assert (await engine.ask("POST", "/containers/c1/start")).status == 304
    assert (await engine.ask("DELETE", "/containers/c1")).message == (
        'cannot remove container "/c1": container is running: stop the container before removing or force remove'
    )
    assert (await engine.ask("POST", "/containers/c1/stop", t="1")).status == 204
    assert (await engine.ask("POST", "/containers/c1/stop")).status == 304
    assert (await engine.ask("POST", "/containers/c1/restart", t="0")).status == 204
    assert (await engine.ask("POST", "/containers/c1/kill", signal="SIGNOSUCH")).status == 400
    assert (await engine.ask("POST", "/containers/c1/kill", signal="SIGKILL")).status == 204
    assert (await engine.ask("POST", "/containers/c1/kill")).status == 409
    assert (await engine.ask("POST", "/containers/c1/rename", name="c2")).status == 204
    assert (await engine.ask("GET", "/containers/c1/json")).status == 404
    assert (await engine.ask("DELETE", "/containers/c2", force="1")).status == 204


async def test_a_name_that_is_taken_is_refused_in_the_engines_words(engine: Engine) -> None:
    await running("c1")
    holder = await running("c2")
    refused = await engine.ask("POST", "/containers/c1/rename", name="c2")
    assert (refused.status, refused.message) == (
        409,
        f'Conflict. The container name "/c2" is already in use by container "{holder}". You have to remove '
        "(or rename) that container to be able to reuse that name.",
    )
    assert (await engine.ask("POST", "/containers/c1/rename")).status == 400


async def test_prune_takes_those_that_do_not_run(engine: Engine) -> None:
    await running("kept")
    gone = await running("gone")
    await set_state("gone", state="exited", wanted="stopped")
    pruned = await engine.ask("POST", "/containers/prune")
    assert pruned.content == {"ContainersDeleted": [gone], "SpaceReclaimed": 0}


async def test_waiting_ends_with_the_exit_status(engine: Engine) -> None:
    await running("c1")
    await set_state("c1", state="exited", wanted="stopped", exit_code=7)
    assert (await engine.ask("POST", "/containers/c1/wait")).content == {"StatusCode": 7}
    assert (await engine.ask("POST", "/containers/c1/wait", condition="odd")).status == 400
    assert (await engine.ask("POST", "/containers/nosuch/wait")).status == 404


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(milliseconds=20), "Less than a second"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(seconds=60), "About a minute"),
        (timedelta(minutes=7), "7 minutes"),
        (timedelta(minutes=70), "About an hour"),
        (timedelta(hours=40), "40 hours"),
        (timedelta(days=3), "3 days"),
        (timedelta(days=15), "2 weeks"),
        (timedelta(days=100), "3 months"),
        (timedelta(days=800), "2 years"),
    ],
)
async def test_times_are_told_in_the_engines_words(span: timedelta, told: str) -> None:
    assert tell_span(span.total_seconds()) == told
