"""Certificates of our own: an authority in a folder, and what it signs for servers and for people.

The private Redis and the TLS listener of the Docker Engine API have an authority each: who is known to one is nobody
to the other. https://www.rfc-editor.org/rfc/rfc5280
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_FOR = timedelta(days=3650)
CERTIFICATE_FOR = timedelta(days=825)
RENEWED_BEFORE = timedelta(days=90)
"""At a start, a server's certificate that ends sooner is replaced."""
BEHIND = timedelta(hours=1)
"""Clocks of others may be so far behind ours."""


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path
    authority: Path


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner can read; a reader finds the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    made.replace(path)


class Authority:
    """`authority.pem` and `authority.key` of the folder, made when they are not there."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / "authority.pem"
        key = folder / "authority.key"
        if not (self.path.exists() and key.exists()):
            self._make(key, name)
        self._key = serialization.load_pem_private_key(key.read_bytes(), password=None)
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        self.certificate = x509.load_pem_x509_certificate(self.path.read_bytes())

    def _make(self, path: Path, name: str) -> None:
        key, subject = ec.generate_private_key(ec.SECP256R1()), _call(name)
        now = datetime.now(UTC)
        made = (
            _begin(subject, subject, now + AUTHORITY_FOR)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(path, _pem(key))
        write_private(self.path, made.public_bytes(serialization.Encoding.PEM))

    def sign(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        until: datetime,
        purpose: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())  # type: ignore[arg-type]
        builder = (
            _begin(_call(name), self.certificate.subject, until)
            .public_key(key)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(own, critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())  # type: ignore[arg-type]


def make_certificate(folder: Path, *names: str, authority: str = "netadmin authority") -> Certificate:
    """For a server that is called so (addresses or names); what is there already is kept as long as it fits."""
    found = Certificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    signer, called = Authority(folder, authority), [_general_name(name) for name in names]
    if not _fits(found.certificate, called, signer.certificate):
        own = ec.generate_private_key(ec.SECP256R1())
        until = datetime.now(UTC) + CERTIFICATE_FOR
        made = signer.sign(names[0], own.public_key(), until, ExtendedKeyUsageOID.SERVER_AUTH, called)
        write_private(found.key, _pem(own))
        write_private(found.certificate, made.public_bytes(serialization.Encoding.PEM))
    return found


def make_request(name: str) -> tuple[bytes, bytes]:
    """A new key and the request to certify it, both PEM: the key need not leave the machine where it is made."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(_call(name)).sign(key, hashes.SHA256())
    return _pem(key), request.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fits(path: Path, names: Sequence[x509.GeneralName], authority: x509.Certificate) -> bool:
    if not path.exists():
        return False
    found = x509.load_pem_x509_certificate(path.read_bytes())
    return (
        found.issuer == authority.subject
        and list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == list(names)
        and found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE
    )


def _call(name: str) -> x509.Name:
    # RFC 5280: a common name has at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _usage(*, signs: bool) -> x509.KeyUsage:
    """What the key is for: signing certificates, or handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _begin(name: x509.Name, issuer: x509.Name, until: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - BEHIND)
        .not_valid_after(until)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
