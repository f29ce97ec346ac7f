"""Who gets in where, for every page, admin page and socket that there is: one without a rule here fails."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.admin import site
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts.tokens import issue
from apps.hosts.models import Host
from netadmin.asgi import application, consumers
from tests.server.api.test_roles import OPEN as OPEN_CALLS
from tests.server.api.test_roles import offered
from tests.server.people import ROLES, make_client, make_user

pytestmark = pytest.mark.django_db
STAFF = ("admin", "operator", "member", "read-only")
EVERYBODY, SIGNED_IN, CHANGING, ADMINISTRATORS, NO_ONE = (
    frozenset(ROLES),
    frozenset(STAFF),
    frozenset({"admin", "operator", "member"}),
    frozenset({"admin"}),
    frozenset[str](),
)
PAGES = {
    "start": EVERYBODY,
    "": EVERYBODY,
    "healthz": EVERYBODY,
    "metrics": SIGNED_IN,
    "readyz": EVERYBODY,
}
"""By the name of the address. The dashboard's page holds nothing of anybody's; the places in it have no name."""
SITE = {
    "index": SIGNED_IN,
    "login": EVERYBODY,
    "logout": EVERYBODY,
    "password_change": SIGNED_IN,
    "password_change_done": SIGNED_IN,
    "autocomplete": SIGNED_IN,
    "jsi18n": SIGNED_IN,
    "search": SIGNED_IN,
    "app_list": SIGNED_IN,
    "view_on_site": SIGNED_IN,
}
"""Pages of the admin that are of no model."""
HISTORY = {"history": SIGNED_IN}
"""It only leads on to the list of operations."""
LOOKED_AT = {"changelist": SIGNED_IN, "change": SIGNED_IN, **HISTORY}
MODELS: dict[str, dict[str, frozenset[str]]] = {
    "networks_network": {**LOOKED_AT, "add": CHANGING, "delete": frozenset({"admin", "operator"})},
    "containers_container": {**LOOKED_AT, "add": CHANGING, "delete": frozenset({"admin", "operator"})},
    "networks_endpoint": {**LOOKED_AT, "add": CHANGING, "delete": frozenset({"admin", "operator"})},
    "hosts_host": {**LOOKED_AT, "add": ADMINISTRATORS, "delete": ADMINISTRATORS},
    "ipam_pool": {**LOOKED_AT, "add": ADMINISTRATORS, "delete": ADMINISTRATORS},
    "ipam_subnet": {**LOOKED_AT, "add": NO_ONE, "delete": NO_ONE},
    "ipam_address": {**LOOKED_AT, "add": NO_ONE, "delete": NO_ONE},
    "delivery_operation": {**LOOKED_AT, "add": NO_ONE, "delete": NO_ONE},
    **{
        model: dict.fromkeys(
            ("changelist", "history", "change", "add", "delete", "password_change"), ADMINISTRATORS
        )
        | HISTORY
        for model in ("auth_user", "auth_group", "accounts_apitoken", "accounts_grant")
    },
    **{
        model: {
            **dict.fromkeys(("changelist", "change", "delete"), ADMINISTRATORS),
            **HISTORY,
            "add": NO_ONE,
        }
        for model in ("accounts_failure", "accounts_clientcertificate")
    },
}
SOCKETS = {
    "ws/events/": SIGNED_IN,
    "ws/containers/<str:id>/exec/": CHANGING,
    "ws/containers/<str:id>/logs/": SIGNED_IN,
}
"""To which containers a member's commands go is asked later: tests/server/api/test_rights.py."""


def walk(patterns: Any, place: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(where it hangs: "admin/", "api/v1/" or "", the address)."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, place or str(pattern.pattern))
        else:
            yield place, pattern


def admin_pages() -> list[tuple[str, str]]:
    """(model, view) of every page of a model."""
    found = []
    for model, page in site._registry.items():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        names = [pattern.name or "" for pattern in page.urls if isinstance(pattern, URLPattern)]
        # The last is an old address of the page of one row; without a name it only leads on.
        found += [(prefix[:-1], name.removeprefix(prefix)) for name in names if name]
    return found


def test_every_address_is_of_the_api_of_the_admin_or_has_a_rule() -> None:
    rest = {str(pattern.name or "") for place, pattern in walk(get_resolver().url_patterns) if not place}
    assert rest == set(PAGES)
    assert {place for place, _ in walk(get_resolver().url_patterns)} == {"", "admin/", "api/v1/"}
    models = {f"{model}_{view}" for model, view in admin_pages()}
    names = {str(p.name) for place, p in walk(get_resolver().url_patterns) if place == "admin/" and p.name}
    assert names - models == set(SITE), "pages of the admin that are of no model"


@pytest.mark.parametrize("role", ROLES)
def test_a_plain_page_is_for_whom_its_rule_says(role: str) -> None:
    client = Client()
    if role != "nobody":
        client.force_login(make_user(role))
    for path, name in (("/", "start"), ("/networks", ""), ("/healthz", "healthz"), ("/metrics", "metrics")):
        allowed = role in PAGES[name]
        assert client.get(path).status_code == (200 if allowed else 401), path


def sign_in(role: str) -> Client:
    client = Client()
    if role != "nobody":
        user = make_user(role)
        user.is_staff = True
        user.save()
        client.force_login(user)
    return client


@pytest.mark.usefixtures("node1", "answering")
@pytest.mark.parametrize(("model", "view"), admin_pages())
def test_a_page_of_the_admin_is_for_whom_its_rule_says(model: str, view: str) -> None:
    make_user("member")
    admin = make_client("admin")
    admin.post("/api/v1/containers/", {"name": "c"}, format="json")
    [registered] = [each for each in site._registry if each._meta.label_lower.replace(".", "_") == model]
    row = registered.objects.order_by("pk").first()
    for role in ROLES:
        client = sign_in(role)
        if row is None and view not in ("changelist", "add"):
            address = reverse(f"admin:{model}_{view}", args=["1"])
        else:
            address = reverse(f"admin:{model}_{view}", args=[] if view in ("changelist", "add") else [row.pk])  # type: ignore[union-attr]
        answer = client.get(address)
        if role == "nobody":
            assert answer.status_code == 302 and "/admin/login/" in answer["Location"]
        elif role in MODELS[model][view]:
            assert answer.status_code in (200, 302), (role, answer.status_code)
        else:
            assert answer.status_code in (302, 403), (role, answer.status_code)
            assert answer.status_code == 403 or (answer["Location"] == "/admin/" and row is None), role


SECRETS = {
    ("hosts_host", "key"),
    ("auth_user", "password"),
    ("accounts_apitoken", "digest"),
    ("accounts_apitoken", "salt"),
}
"""Columns that no page shows, to nobody."""


@pytest.mark.usefixtures("node1")
def test_no_list_of_the_admin_is_narrowed_by_a_column_that_it_shows_to_nobody() -> None:
    admin, found = sign_in("admin"), set()
    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        for column in (field.name for field in model._meta.concrete_fields):
            narrowed = admin.get(reverse(f"admin:{name}_changelist"), {f"{column}__startswith": "x"})
            if narrowed.status_code == 400:
                found.add((name, column))
    assert found >= SECRETS
    key = Host.objects.get().key
    for lookup in ("key__startswith", "key", "key__regex", "pk__in__key", "invitation__verifier__startswith"):
        answer = sign_in("read-only").get("/admin/hosts/host/", {lookup: key})
        assert answer.status_code in (302, 400), lookup
    for model in ("networks/network", "networks/endpoint", "containers/container", "delivery/operation"):
        answer = sign_in("read-only").get(f"/admin/{model}/", {"host__key__startswith": key[:3]})
        assert answer.status_code == 400, model


@pytest.mark.parametrize("name", sorted(SITE))
def test_a_page_of_the_admin_itself_is_for_whom_its_rule_says(name: str) -> None:
    arguments = {"app_list": ["networks"], "view_on_site": ["1", "1"]}
    address = reverse(f"admin:{name}", args=arguments.get(name, []))
    if name == "logout":
        return  # It ends what is the caller's own.
    open_to_nobody = "/admin/login/" not in Client().get(address).get("Location", "")
    assert open_to_nobody is (SITE[name] == EVERYBODY)
    outsider = Client()
    outsider.force_login(make_user("operator"))
    refused = "/admin/login/" in outsider.get(address).get("Location", "")
    assert refused is (SITE[name] != EVERYBODY), "who is not of the staff has no admin"


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("private_redis")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", sorted(consumers))
async def test_a_socket_opens_for_whom_its_rule_says(route: str, role: str) -> None:
    headers = [(b"host", b"localhost")]
    if role != "nobody":
        _, text = await sync_to_async(lambda: issue(make_user(role), "test"))()
        headers.append((b"authorization", f"Bearer {text}".encode()))
    path = route.replace("<str:id>", "nothing")
    socket = WebsocketCommunicator(application, f"/{path}?command=id", headers=headers)
    opened, _ = await socket.connect(5)
    await socket.disconnect()
    assert opened is (role in SOCKETS[route])


@pytest.mark.parametrize(
    ("name", "method", "path"), [each for each in offered() if each[1] != "get" and each[0] != "join"]
)
def test_a_session_changes_nothing_without_a_csrf_token(name: str, method: str, path: str) -> None:
    assert name not in OPEN_CALLS or name == "session"
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("admin"))
    answer = getattr(client, method)(f"/api/v1/{path}/", {}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["message"]
