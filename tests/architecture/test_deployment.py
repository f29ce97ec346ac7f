"""What cannot be tried here by building images: that what they are made from is there, and fits together."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.contract.broker import describe_login

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SETTINGS = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))


@pytest.mark.parametrize("name", ["server", "worker"])
def test_what_an_image_copies_is_there(name: str) -> None:
    lines = (ROOT / f"docker/{name}.Dockerfile").read_text().splitlines()
    kept = [line for line in lines if line.startswith("COPY ") and "--from=" not in line]
    copied = [word for line in kept for word in line.split()[1:-1]]
    assert copied and [word for word in copied if not (ROOT / word).exists()] == []
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert name != "worker" or {"workers"} == {word for word in copied if (ROOT / word).is_dir()}


def test_every_service_is_watched_and_nothing_has_a_password_in_clear() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "redis", "setup", "web", "server-worker"}
    for name, service in COMPOSE["services"].items():
        image = "server" if service["image"] == "netadmin-server" else None
        assert "healthcheck" in service or (image and name == "web"), name
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or value.startswith("${"), variable
            assert not variable.startswith("NETADMIN") or variable in SETTINGS, variable


@pytest.mark.parametrize("name", ["server", "worker"])
def test_a_unit_starts_what_exists_and_leaves_mounts_to_the_machine(name: str) -> None:
    unit = (ROOT / f"docker/systemd/netadmin-{name}.service").read_text()
    settings = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"[A-Z]\w+=", line))
    words = shlex.split(settings["ExecStart"].replace("/opt/netadmin/.venv/bin/", ""))
    program = {"python": [sys.executable], "netadmin": [str(Path(sys.executable).parent / "netadmin")]}
    done = subprocess.run([*program[words[0]], *words[1:], "--help"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0
    assert not {"PrivateMounts", "PrivateTmp", "ProtectSystem", "ProtectHome"} & settings.keys()


def test_a_worker_needs_nothing_but_its_own_folder_and_its_lock_file() -> None:
    locked = set(
        re.findall(
            r"^([a-z0-9-]+)(?:\[|==)", (ROOT / "docker/requirements-worker.lock").read_text(), re.MULTILINE
        )
    )
    assert {"celery", "pyroute2", "msgspec"} <= locked
    assert not {"django", "djangorestframework", "channels", "uvicorn"} & locked


def test_the_guide_shows_the_login_of_a_host_as_it_is_made() -> None:
    guide = (ROOT / "docs/deploy.md").read_text()
    rules = describe_login("node2", "secret")
    shown = " ".join(
        ["ACL SETUSER host.node2", *(">PASSWORD" if rule.startswith("#") else rule for rule in rules)]
    )
    assert shown in re.sub(r"\s*\\\n\s*", " ", guide)


def test_the_guides_certificates_are_those_that_the_containers_take(tmp_path: Path) -> None:
    """The commands as they stand there, judged as strictly as Python 3.13 does, which the images have."""
    guide = (ROOT / "docs/deploy.md").read_text().replace("\\\n", "")
    lines = re.findall(
        r"^# ((?:mkdir -p docker/tls|openssl|printf|cat > docker/\.env).*)$", guide, re.MULTILINE
    )
    assert len(lines) == 6, lines
    (settings,) = re.findall(r"^# cat > docker/\.env <<END\n(.*?\nEND)$", guide, re.MULTILINE | re.DOTALL)
    script = "\n".join(["set -e", *lines[:-1], lines[-1], settings])
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    verify = ["openssl", "verify", "-x509_strict", "-verify_ip", "192.168.5.11", "-CAfile"]
    subprocess.run([*verify, "docker/tls/authority.pem", "docker/tls/redis.pem"], cwd=tmp_path, check=True)
    given = dict(line.split("=", 1) for line in (tmp_path / "docker/.env").read_text().splitlines())
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker/compose.yaml").read_text()))
    assert given.keys() == asked and all(given.values())
    for name in ("authority.pem", "redis.pem", "redis.key"):
        assert (tmp_path / "docker/tls" / name).stat().st_size
