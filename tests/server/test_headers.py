"""What browsers are told with every answer, by which names the server may be called, and what proxies may say."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client, RequestFactory

from netadmin.policies import ADMIN, DATA, PAGE
from netadmin.proxies import Proxies
from tests.server.people import make_user

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/", PAGE),
        ("/networks/x", PAGE),
        ("/nothing", PAGE),
        ("/admin/login/", ADMIN),
        ("/api/v1/docs/", PAGE),
        ("/api/v1/me/", DATA),
        ("/api/v1/schema/", DATA),
        ("/api/v1/nothing", DATA),
    ],
)
def test_every_answer_says_what_browsers_may_do_with_it(path: str, policy: str) -> None:
    answer = Client().get(path)
    assert answer["Content-Security-Policy"] == policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_no_policy_lets_a_script_in_a_page_run_and_only_the_admin_compiles() -> None:
    for policy in (ADMIN, DATA, PAGE):
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        scripts = rules.get("script-src", rules["default-src"])
        assert "unsafe-inline" not in scripts and "*" not in policy and "http" not in policy
        assert ("unsafe-eval" in scripts) is (policy == ADMIN)
        assert (rules["frame-ancestors"], rules["object-src"], rules["base-uri"]) == ("'none'",) * 3


def test_no_page_has_a_script_or_a_handler_in_it() -> None:
    make_user("admin")
    for path in ("/", "/admin/login/", "/api/v1/docs/", "/nothing"):
        text = Client().get(path).content.decode()
        scripts = re.findall(r"<script\b([^>]*)>", text)
        assert [each for each in scripts if "src=" not in each and "application/json" not in each] == [], path
        assert not re.search(r"<[^>]+ on[a-z]+=", text), path


def test_cookies_are_out_of_reach_of_scripts_and_other_sites() -> None:
    make_user("admin")
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")
    cookie = client.cookies["csrftoken"]
    assert cookie["samesite"] == "Lax"
    client.post(
        "/api/v1/session/",
        {"name": "admin", "password": "correct horse"},
        content_type="application/json",
        headers={"X-CSRFToken": cookie.value},
    )
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert cookie["max-age"] == configured.SESSION_COOKIE_AGE == 12 * 3600


def test_a_page_of_another_name_gets_nothing() -> None:
    answer = Client().get("/api/v1/me/", headers={"host": "rebound.example"})
    assert answer.status_code == 400
    assert "NETADMIN_ALLOWED_HOSTS" in answer.json()["message"]


@pytest.mark.parametrize(
    ("peer", "given", "seen"),
    [
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.1.1.1", "198.51.100.9", "198.51.100.9"),
        ("10.1.1.1", "1.1.1.1, 198.51.100.9", "198.51.100.9"),
        ("10.1.1.1", "nonsense", "10.1.1.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("::ffff:10.1.1.1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("", "198.51.100.9", ""),
    ],
)
def test_only_a_proxy_of_ours_says_who_somebody_is(settings: Any, peer: str, given: str, seen: str) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, proxies=(ip_network("10.0.0.0/8"),))
    request = RequestFactory().get(
        "/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=given, HTTP_X_FORWARDED_PROTO="https"
    )
    Proxies(lambda _: None).process_request(request)  # type: ignore[arg-type]
    assert request.META["REMOTE_ADDR"] == seen
    assert ("HTTP_X_FORWARDED_PROTO" in request.META) is ("10.1.1.1" in peer)


ASK = """
import json, sys, django; django.setup()
from django.test import Client
client = Client(enforce_csrf_checks=True)
answer = client.get("/admin/login/", REMOTE_ADDR=sys.argv[1], HTTP_X_FORWARDED_PROTO="https", HTTP_HOST="net.example")
print(json.dumps([answer.status_code, answer.get("Strict-Transport-Security"), client.cookies["csrftoken"]["secure"]]))
"""


def behind_proxy(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "netadmin.settings",
        "NETADMIN_STATE_DIR": str(tmp_path),
        "NETADMIN_PUBLIC_URL": "https://net.example",
        "NETADMIN_PROXIES": "10.0.0.0/8",
    }


def run(tmp_path: Path, *words: str) -> str:
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, env=behind_proxy(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_django_finds_nothing_to_say_of_a_server_behind_tls(tmp_path: Path) -> None:
    told = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert "no issues" in told


def test_behind_tls_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", ASK, "10.1.1.1") == '[200, "max-age=31536000", true]\n'
    assert run(tmp_path, "-c", ASK, "192.0.2.1") == "[200, null, true]\n"
