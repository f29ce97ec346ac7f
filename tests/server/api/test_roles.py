"""Who may call what, for every operation that the URL configuration offers."""

from typing import Any

import pytest
from django.urls import URLPattern

from apps.api.urls import urlpatterns
from tests.server.people import ROLES, make_client

pytestmark = pytest.mark.django_db
OPEN = {"schema", "docs", "join", "session"}
"""Descriptions of the API, which hold nothing of anybody's, and where a machine shows a token of its own."""
ADMINISTRATORS_ONLY = {
    ("pool-list", "post"),
    ("pool-detail", "delete"),
    ("host-list", "post"),
    ("host-detail", "patch"),
    ("host-detail", "delete"),
    ("host-renew", "post"),
    ("host-revoke", "post"),
}


def offered() -> list[tuple[str, str, str]]:
    """(name, method, path) of every operation."""
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = str(pattern.pattern).lstrip("^").rstrip("/?$").replace("(?P<id>[^/]+)", "99")
        path = path.replace("(?P<id>[0-9]{1,18})", "99")
        assert "(" not in path, path
        only = {"join": ["post"], "session": ["post", "delete"]}.get(str(pattern.name), ["get"])
        actions = getattr(pattern.callback, "actions", None) or only
        found += [(str(pattern.name), method, path) for method in actions]
    return found


def allows(name: str, method: str, role: str) -> bool:
    if name in OPEN:
        return True
    if method == "get":
        return role != "nobody"
    return role == "admin" if (name, method) in ADMINISTRATORS_ONLY else role in ("admin", "operator")


def test_the_table_holds_what_the_contract_names() -> None:
    names = {f"{method} {path}" for _, method, path in offered()}
    assert {"post networks/99/connect", "delete containers/99", "post pools", "get me"} <= names
    assert len(names) >= 35


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("name", "method", "path"), offered())
def test_a_role_may_do_what_it_is_for(name: str, method: str, path: str, role: str) -> None:
    client: Any = make_client(role)
    response = getattr(client, method)(
        f"/api/v1/{path}/", {"?": 1} if method in ("post", "patch") else None, format="json"
    )
    refused = response.status_code in (401, 403)
    assert refused is not allows(name, method, role), (response.status_code, response.content[:200])
    if refused:
        assert response.status_code == (401 if role == "nobody" else 403)
        assert set(response.json()) == {"code", "message", "field"}
