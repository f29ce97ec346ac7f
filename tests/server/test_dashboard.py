"""The dashboard's page, and how a browser signs in and out."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from netadmin.dashboard import PLACES

pytestmark = pytest.mark.django_db
ROUTES = Path(__file__).resolve().parents[2] / "frontend" / "src" / "app" / "router.tsx"


def sign_in(client: Client, name: str = "eva", password: str = "long enough") -> tuple[int, dict[str, str]]:
    token = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else ""
    answer = client.post(
        "/api/v1/session/",
        {"name": name, "password": password},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    return answer.status_code, answer.json()


@pytest.fixture
def client() -> Client:
    User.objects.create_user("eva", password="long enough")
    return Client(enforce_csrf_checks=True)


def test_every_place_of_the_dashboard_is_one_page(client: Client, tmp_path: Path, settings: Any) -> None:
    settings.DASHBOARD = tmp_path
    (tmp_path / "index.html").write_text("<!doctype html>")
    for place in ("", *PLACES, "networks/new", f"containers/{'a' * 64}"):
        answer = client.get(f"/{place}")
        assert (answer.status_code, answer.content) == (200, b"<!doctype html>"), place
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert answer["Cache-Control"] == "no-cache"
    assert client.get("/nothing").status_code == 404
    assert Client().post("/networks").status_code == 405


def test_the_server_knows_the_places_that_the_browser_knows() -> None:
    routes = re.findall(r'path: "/([a-z]+)', ROUTES.read_text())
    assert set(routes) == set(PLACES)


def test_without_a_build_the_page_leads_to_admin_and_api(
    client: Client, tmp_path: Path, settings: Any
) -> None:
    settings.DASHBOARD = tmp_path
    text = client.get("/").content.decode()
    assert all(link in text for link in ('href="/admin/"', 'href="/api/v1/docs"', 'href="/api/v1/schema"'))


def test_a_browser_signs_in_and_out(client: Client) -> None:
    client.get("/")
    assert client.get("/api/v1/me/").status_code == 401
    assert sign_in(client) == (200, {"name": "eva", "role": "read-only", "granted": False})
    assert client.get("/api/v1/me/").json()["name"] == "eva"
    token = client.cookies["csrftoken"].value
    assert client.delete("/api/v1/session/").status_code == 403
    assert client.delete("/api/v1/session/", headers={"X-CSRFToken": token}).status_code == 204
    assert client.get("/api/v1/me/").status_code == 401


@pytest.mark.parametrize("name", ["eva", "nobody"])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(client: Client, name: str) -> None:
    client.get("/")
    status, told = sign_in(client, name, "wrong")
    assert (status, told["code"]) == (401, "bad_password")
    assert told["message"] == "Name and password do not fit; try again."


def test_another_site_can_sign_nobody_in(client: Client) -> None:
    assert sign_in(client)[0] == 403
