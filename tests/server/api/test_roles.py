"""Who may call what, for every operation that the URL configuration offers."""

from typing import Any

import pytest
from django.urls import URLPattern

from apps.api.urls import urlpatterns
from apps.delivery.models import Operation
from tests.server.people import ROLES, make_client

pytestmark = pytest.mark.django_db
OWN = {"token-list", "token-detail", "certificate-list", "certificate-detail"}
"""Everybody's own things."""
OPEN = {"schema", "docs", "join", "session"}
"""Descriptions of the API, which hold nothing of anybody's, and where a machine shows a token of its own."""
ADMINISTRATORS_ONLY = {
    ("pool-list", "post"),
    ("pool-detail", "delete"),
    ("grant-list", "post"),
    ("grant-detail", "delete"),
    ("host-list", "post"),
    ("host-detail", "patch"),
    ("host-detail", "delete"),
    ("host-renew", "post"),
    ("host-revoke", "post"),
}
SEEN_BY_ADMINISTRATORS = {"failure-list", "failure-detail"}
OPERATORS_ONLY = {
    ("host-drain", "post"),
    ("host-undrain", "post"),
    ("image", "delete"),
    ("image-load", "post"),
    ("image-tag", "post"),
    ("images", "post"),
}
SEVERAL = {
    "join": ["post"],
    "session": ["post", "delete"],
    "images": ["get", "post"],
    "image": ["get", "delete"],
    "image-load": ["post"],
    "image-tag": ["post"],
}
"""Methods of the views that are not resources and have more than `get`."""


def offered() -> list[tuple[str, str, str]]:
    """(name, method, path) of every operation."""
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = str(pattern.pattern).lstrip("^").rstrip("/?$").replace("(?P<id>[^/]+)", "99")
        path = path.replace("(?P<id>[0-9]{1,18})", "99").replace("(?P<name>.+?)", "99")
        assert "(" not in path, path
        only = SEVERAL.get(str(pattern.name), ["get"])
        actions = getattr(pattern.callback, "actions", None) or only
        found += [(str(pattern.name), method, path) for method in actions]
    return found


def allows(name: str, method: str, role: str) -> bool:
    if name in OPEN:
        return True
    if name in SEEN_BY_ADMINISTRATORS:
        return role == "admin"
    if method == "get" or name in OWN:
        return role != "nobody"
    if (name, method) in ADMINISTRATORS_ONLY:
        return role == "admin"
    # What a member's grants do not cover, is refused when it is found: see the last test.
    return role in ("admin", "operator") or (role == "member" and (name, method) not in OPERATORS_ONLY)


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


BODIES: dict[tuple[str, str], Any] = {
    ("container-detail", "delete"): None,
    ("container-exec", "post"): {"command": ["id"]},
    ("container-list", "post"): {"name": "new"},
    ("container-rename", "post"): {"name": "new"},
    ("container-restart", "post"): {},
    ("container-start", "post"): {},
    ("container-stop", "post"): {},
    ("endpoint-list", "delete"): [{"network": "99", "container": "busy"}],
    ("endpoint-list", "post"): [{"network": "99", "container": "free"}],
    ("network-connect", "post"): {"container": "free"},
    ("network-detail", "delete"): None,
    ("network-detail", "patch"): {"labels": {"team": "blue"}},
    ("network-disconnect", "post"): {"container": "busy"},
    ("network-list", "post"): {"name": "new"},
    ("network-prune", "post"): {},
}
"""What the operation would do for an operator, to things that are not the member's."""
HARMLESS = {("network-plan", "post")}
"""It changes nothing."""
CHANGING = [
    each for each in offered() if each[1] != "get" and each[0] not in OWN | OPEN | SEEN_BY_ADMINISTRATORS
]


@pytest.mark.usefixtures("node1", "answering")
@pytest.mark.parametrize(("name", "method", "path"), CHANGING)
def test_a_member_changes_nothing_that_is_not_granted(name: str, method: str, path: str) -> None:
    key = (name, method)
    if key in ADMINISTRATORS_ONLY | OPERATORS_ONLY | HARMLESS:
        assert key not in BODIES
        return
    operator, member = make_client("operator"), make_client("member")
    operator.post("/api/v1/networks/", {"name": "99"}, format="json")
    for container in ("free", "busy", "99"):
        wish = {"name": container, "networks": [{"network": "99"}] if container == "busy" else None}
        made = operator.post("/api/v1/containers/", {**wish, "start": container == "99"}, format="json")
        assert made.status_code == 201, made.content
    before = list(Operation.objects.values_list("pk"))
    answered = getattr(member, method)(f"/api/v1/{path}/?force=1", BODIES[key], format="json")
    assert (answered.status_code, answered.json()["code"]) == (403, "not_granted")
    assert list(Operation.objects.values_list("pk")) == before
    if key != ("container-exec", "post"):  # Which asks a host that is not there.
        allowed = getattr(operator, method)(f"/api/v1/{path}/?force=1", BODIES[key], format="json")
        assert allowed.status_code < 300, allowed.content
