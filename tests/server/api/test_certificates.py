"""Certificates of Docker's clients: who gets one for whom, and what is in it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from apps.accounts.models import ClientCertificate
from apps.accounts.tokens import issue
from netadmin.certificates import make_request
from tests.server.certificates import listen_with_tls
from tests.server.people import make_client, make_user

pytestmark = pytest.mark.django_db
PLACE = "/api/v1/certificates/"


@pytest.fixture
def tls(settings: Any, tmp_path: Path) -> None:
    listen_with_tls(settings, tmp_path)


def ask(client: Any, **more: Any) -> Any:
    body = {"name": "laptop", "request": make_request("laptop")[1].decode(), **more}
    return client.post(PLACE, body, format="json")


def test_it_names_its_account_is_for_clients_only_and_ends(tls: None, operator: Any) -> None:
    made = ask(operator)
    assert made.status_code == 201, made.content
    signed = x509.load_pem_x509_certificate(made.json()["certificate"].encode())
    authority = x509.load_pem_x509_certificate(made.json()["authority"].encode())
    signed.verify_directly_issued_by(authority)
    assert signed.subject.rfc4514_string() == "CN=operator"
    purposes = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=89) < signed.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=90)
    (listed,) = operator.get(PLACE).json()["results"]
    assert (listed["user"], "certificate" in listed) == ("operator", False)
    assert operator.delete(f"{PLACE}{listed['id']}/").status_code == 204
    assert not ClientCertificate.objects.exists()


def test_only_administrators_certify_keys_of_others_and_see_them(tls: None, operator: Any) -> None:
    make_user("read-only")
    refused = ask(operator, user="read-only")
    assert (refused.status_code, refused.json()["code"]) == (403, "administrators_only")
    admin = make_client("admin")
    made = ask(admin, user="read-only").json()
    assert made["user"] == "read-only"
    assert ask(admin, user="nobody").json()["code"] == "user_not_found"
    assert operator.get(PLACE).json()["count"] == 0
    assert operator.delete(f"{PLACE}{made['id']}/").json()["code"] == "certificate_not_found"
    assert make_client("read-only").get(PLACE).json()["count"] == 1
    assert admin.delete(f"{PLACE}{made['id']}/").status_code == 204


def rsa_request() -> str:
    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("request_", ["", "nonsense", "rsa", "altered"])
def test_what_is_no_request_is_refused(tls: None, operator: Any, request_: str) -> None:
    if request_ == "rsa":
        request_ = rsa_request()
    elif request_ == "altered":
        lines = make_request("laptop")[1].decode().splitlines()
        lines[-2] = lines[-2][::-1]
        request_ = "\n".join(lines)
    refused = ask(operator, request=request_)
    assert refused.status_code == 400 and refused.json()["field"] == "request", refused.content


def test_one_that_has_ended_or_outlives_its_token_is_not_made(tls: None) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    client = make_client("nobody")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(make_user('operator'), 'short', expires=soon)[1]}")
    for expires, code in [(soon + timedelta(hours=1), "outlives"), (soon - timedelta(hours=2), "expired")]:
        assert ask(client, expires=expires.isoformat()).json()["code"] == code
    far = datetime.now(UTC) + timedelta(days=5000)
    assert ask(make_client("operator"), expires=far.isoformat()).json()["code"] == "bad_input"
    made = ask(client)
    assert made.status_code == 201 and made.json()["expires"][:16] == soon.isoformat()[:16]


def test_without_a_listener_none_is_made(operator: Any) -> None:
    assert ask(operator).json()["code"] == "no_tls"
