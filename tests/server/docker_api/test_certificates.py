"""Who a client of the engine is that shows a certificate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.accounts.models import ClientCertificate
from apps.accounts.tokens import issue
from tests.server.certificates import certify, listen_with_tls
from tests.server.docker_api.engine import Engine
from tests.server.people import make_user

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def tls(settings: Any, tmp_path: Path) -> None:
    listen_with_tls(settings, tmp_path)


def showing(certificate: bytes, **more: Any) -> Engine:
    return Engine(
        state={"certificate": certificate},
        server=("127.0.0.1", 2376),
        **{"prefix": "/hosts/node1/v1.44", **more},
    )


@pytest.mark.parametrize(
    ("role", "made"), [("admin", 201), ("operator", 201), ("member", 403), ("read-only", 403)]
)
async def test_it_counts_as_its_account(engine: Engine, role: str, made: int) -> None:
    record, certificate = await sync_to_async(certify)(role)
    client = showing(certificate)
    assert (await client.ask("GET", "/networks")).status == 200
    assert (await client.ask("POST", "/networks/create", {"Name": "lab"})).status == made
    await sync_to_async(record.refresh_from_db)()
    assert record.last_used is not None


async def test_one_that_was_taken_back_has_expired_or_is_of_a_closed_account_opens_nothing(
    engine: Engine,
) -> None:
    record, certificate = await sync_to_async(certify)("operator")
    stranger = await showing(b"signed, and in no record").ask("GET", "/_ping")
    assert (stranger.status, stranger.message) == (401, "unauthorized: The certificate has been taken back.")
    known = ClientCertificate.objects.filter(pk=record.pk)
    await sync_to_async(known.update)(expires=datetime.now(UTC) - timedelta(seconds=1))
    assert "expired" in (await showing(certificate).ask("GET", "/_ping")).message
    await sync_to_async(known.update)(expires=datetime.now(UTC) + timedelta(days=1))
    record.user.is_active = False
    await sync_to_async(record.user.save)()
    assert "closed" in (await showing(certificate).ask("GET", "/_ping")).message


async def test_a_token_that_is_sent_besides_counts(engine: Engine) -> None:
    _, certificate = await sync_to_async(certify)("admin")
    token = (await sync_to_async(lambda: issue(make_user("read-only"), "docker"))())[1]
    assert (
        await showing(certificate, token=token).ask("POST", "/networks/create", {"Name": "x"})
    ).status == 403


async def test_there_is_nothing_but_engines(engine: Engine) -> None:
    _, certificate = await sync_to_async(certify)("admin")
    for path in ("/api/v1/networks/", "/admin/", "/", "/v1.44/networks"):
        refused = await showing(certificate, prefix="").ask("GET", path)
        assert (refused.status, "tcp://SERVER:PORT/hosts/NAME" in refused.message) == (404, True)
