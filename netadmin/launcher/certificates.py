"""The private Redis's certificate, and the authority of ours that signs it: hosts get the latter when they join."""

import os
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
"""At a start, a certificate that ends sooner is replaced."""


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


def make_certificate(folder: Path, address: str) -> Certificate:
    """For a server at that IP address; what is there already is kept as long as it fits."""
    found = Certificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    authority, key = _ensure_authority(folder)
    if not _fits(found.certificate, address, authority):
        own = ec.generate_private_key(ec.SECP256R1())
        made = (
            _begin("netadmin broker", authority.subject, CERTIFICATE_FOR)
            .public_key(own.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(found.key, _pem(own))
        write_private(found.certificate, made.public_bytes(serialization.Encoding.PEM))
    return found


def _ensure_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate, path = folder / "authority.pem", folder / "authority.key"
    if not (certificate.exists() and path.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "netadmin authority")])
        made = (
            _begin("netadmin authority", name, AUTHORITY_FOR)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(path, _pem(key))
        write_private(certificate, made.public_bytes(serialization.Encoding.PEM))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)  # type: ignore[assignment]
    return x509.load_pem_x509_certificate(certificate.read_bytes()), key


def _fits(path: Path, address: str, authority: x509.Certificate) -> bool:
    if not path.exists():
        return False
    found = x509.load_pem_x509_certificate(path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        found.issuer == authority.subject
        and names.get_values_for_type(x509.IPAddress) == [ip_address(address)]
        and found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE
    )


def _begin(name: str, issuer: x509.Name, valid: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        # Clocks of hosts may be a little behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + valid)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
