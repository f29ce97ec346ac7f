"""/_ping, /version, /info, /auth, /system/df: who answers here."""

import os
import platform
from datetime import UTC, datetime

from apps.containers.models import Container
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer, Text
from apps.docker_api.versions import NEWEST, OLDEST
from apps.docker_api.versions import show_version as spell
from apps.networks.models import Driver
from workers import __version__

NAME = "netadmin"


def ping(request: Request, facts: dict[str, str]) -> Text:
    return Text(
        "OK",
        {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Swarm": "inactive"},
    )


def show_version(request: Request, facts: dict[str, str]) -> Answer:
    kernel = request.host.kernel or platform.release()
    details = {
        "ApiVersion": spell(NEWEST),
        "Arch": architecture(),
        "Experimental": "false",
        "KernelVersion": kernel,
        "MinAPIVersion": spell(OLDEST),
        "Os": "linux",
    }
    return Answer(
        {
            "Platform": {"Name": NAME},
            "Components": [{"Name": "Engine", "Version": __version__, "Details": details}],
            "Version": __version__,
            "ApiVersion": spell(NEWEST),
            "MinAPIVersion": spell(OLDEST),
            "GitCommit": "",
            "GoVersion": "",
            "Os": "linux",
            "Arch": architecture(),
            "KernelVersion": kernel,
            "BuildTime": "",
        }
    )


def show_info(request: Request, facts: dict[str, str]) -> Answer:
    host = request.host
    containers = Container.objects.filter(host=host)
    total = containers.count()
    running = containers.filter(state=Container.State.RUNNING).count()
    return Answer(
        {
            "ID": str(host.pk),
            "Containers": total,
            "ContainersRunning": running,
            "ContainersPaused": 0,
            "ContainersStopped": total - running,
            "Images": 1,
            "SystemTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "KernelVersion": host.kernel or platform.release(),
            "Architecture": platform.machine(),
            "NCPU": os.cpu_count() or 1,
            "Name": host.name,
            "Warnings": _warnings(request),
            **_ALWAYS,
        }
    )


_ALWAYS = {
    "Driver": "overlayfs",
    "DriverStatus": [],
    "Plugins": {
        "Volume": [],
        "Network": sorted(Driver.values),
        "Authorization": None,
        "Log": ["json-file"],
    },
    "IPv4Forwarding": True,
    "Debug": False,
    "LoggingDriver": "json-file",
    "CgroupDriver": "none",
    "CgroupVersion": "2",
    "OperatingSystem": NAME,
    "OSType": "linux",
    "IndexServerAddress": "",
    "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": []},
    "MemTotal": 0,
    "DockerRootDir": "",
    "Labels": [],
    "ExperimentalBuild": False,
    "ServerVersion": __version__,
    "Runtimes": {"crun": {"path": "crun"}},
    "DefaultRuntime": "crun",
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
    "LiveRestoreEnabled": True,
    "SecurityOptions": [],
}
"""What is the same for every host."""


def _warnings(request: Request) -> list[str] | None:
    host = request.host
    problems = [f"WARNING: {problem}" for problem in host.all_problems]
    if host.silent:
        problems.append(
            f"WARNING: host {host.name} is offline: changes are recorded and happen when it is back"
        )
    return problems or None


def sign_in(request: Request, facts: dict[str, str]) -> Answer:
    """`docker login`: there is no registry behind the engine, so what it is given is neither checked nor kept."""
    return Answer({"Status": "Login Succeeded", "IdentityToken": ""})


def show_use(request: Request, facts: dict[str, str]) -> Answer:
    return Answer(
        {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": [], "BuilderSize": 0}
    )


def architecture() -> str:
    """In Go's words."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
