"""Signing and recognising certificates of clients of the Docker Engine API."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings
from django.contrib.auth.models import User

from apps.accounts.models import ApiToken, ClientCertificate
from apps.accounts.tokens import RESOLUTION, check_end, usual_end
from apps.common.errors import Conflict, Invalid
from netadmin.certificates import AUTHORITY_FOR, Authority


class BadCertificate(Exception):
    """The certificate is unknown, or its owner may not sign in; the text says it to a person."""


def issue(
    user: User, name: str, request: str, *, expires: datetime | None = None, by: ApiToken | None = None
) -> tuple[ClientCertificate, str, str]:
    """Sign a request (PEM, RFC 2986): the record, the certificate, and the authority by which clients know the server.

    Of the request only its key counts. `by`: the token with which it is asked for.
    """
    if settings.ENVIRONMENT.docker_address is None:
        raise Conflict(
            "no_tls",
            "Nothing here takes certificates: start the server with NETADMIN_DOCKER_LISTEN=ADDRESS:PORT.",
        )
    key = _read_request(request)
    expires = expires or usual_end(by)
    check_end(expires, by)
    if expires > datetime.now(UTC) + AUTHORITY_FOR - timedelta(days=1):
        raise Invalid("bad_input", "A certificate lasts for at most ten years.", "expires")
    authority = Authority(settings.ENVIRONMENT.docker_tls, "netadmin docker")
    signed = authority.sign(user.get_username(), key, expires, ExtendedKeyUsageOID.CLIENT_AUTH)
    record = ClientCertificate.objects.create(
        fingerprint=_fingerprint(signed.public_bytes(serialization.Encoding.DER)),
        name=name,
        user=user,
        expires=expires,
    )
    return record, _pem(signed), _pem(authority.certificate)


def recognise(shown: bytes) -> ClientCertificate:
    """The record of a certificate (DER) that our authority has signed, with its user; `BadCertificate` for none."""
    found = ClientCertificate.objects.select_related("user").filter(fingerprint=_fingerprint(shown)).first()
    if found is None:
        raise BadCertificate("The certificate has been taken back.")
    now = datetime.now(UTC)
    # A connection may outlive the certificate that it was opened with.
    if found.expires <= now:
        raise BadCertificate("The certificate has expired.")
    if not found.user.is_active:
        raise BadCertificate("The account of the certificate is closed.")
    if found.last_used is None or now - found.last_used >= RESOLUTION:
        ClientCertificate.objects.filter(pk=found.pk).update(last_used=now)
    return found


def _read_request(text: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(text.encode())
        key = request.public_key()
        fits = isinstance(key, ec.EllipticCurvePublicKey) and request.is_signature_valid
    except (ValueError, TypeError, UnicodeError):
        fits = False
    if not fits:
        raise Invalid(
            "bad_certificate_request",
            "This is no request for a certificate (PEM) with an elliptic key; `netadmin certificate create` makes one.",
            "request",
        )
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
