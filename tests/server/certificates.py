"""Certificates of Docker's clients, for accounts of each role."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from apps.accounts.certificates import issue
from apps.accounts.models import ClientCertificate
from netadmin.certificates import make_request
from tests.server.people import make_user


def listen_with_tls(settings: Any, folder: Path) -> None:
    """As with NETADMIN_DOCKER_LISTEN, and an authority in `folder`."""
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, state_dir=folder, docker_listen="127.0.0.1:2376")


def certify(role: str) -> tuple[ClientCertificate, bytes]:
    """(record, certificate in DER)."""
    made, pem, _ = issue(make_user(role), "docker", make_request("docker")[1].decode())
    return made, x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
