"""What a client of the engine may ask of a container or an attachment, and which values of all else mean nothing.

Everything that is not here is refused, also what a later client thinks of: nobody shall believe a container to be
confined, limited or arranged as it is not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apps.docker_api.refusals import EngineError
from apps.docker_api.shapes import read_object, read_text

RUNTIME = "crun"
ATTACHED = ("AttachStdin", "AttachStdout", "AttachStderr")
"""How the client itself goes on: it says so again when it attaches, or starts the command."""
CONFIG = frozenset(ATTACHED) | frozenset(
    {
        "Cmd",
        "Entrypoint",
        "Env",
        "ExposedPorts",
        "HostConfig",
        "Hostname",
        "Image",
        "Labels",
        "MacAddress",
        "NetworkDisabled",
        "NetworkingConfig",
        "OpenStdin",
        "StdinOnce",
        "StopSignal",
        "StopTimeout",
        "Tty",
        "User",
        "WorkingDir",
    }
)
HOST_CONFIG = frozenset(
    {
        "AutoRemove",
        "Dns",
        "DnsOptions",
        "DnsSearch",
        "ExtraHosts",
        "Links",
        "NetworkMode",
        "PortBindings",
        "PublishAllPorts",
        "RestartPolicy",
        "Sysctls",
        # Where the client keeps the id, and how large its window is.
        "ConsoleSize",
        "ContainerIDFile",
    }
)
ENDPOINT = frozenset(
    {
        "Aliases",
        "GwPriority",
        "IPAMConfig",
        "Links",
        "MacAddress",
        # What inspect shows, which some clients send back.
        "DNSNames",
        "EndpointID",
        "Gateway",
        "GlobalIPv6Address",
        "GlobalIPv6PrefixLen",
        "IPAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "NetworkID",
    }
)
EXEC = frozenset(ATTACHED) | frozenset(
    {
        "Cmd",
        "ConsoleSize",
        "Env",
        "Tty",
        "User",
        "WorkingDir",
        "Container",
        "Detach",
        "DetachKeys",
        "detachKeys",
    }
)
IPAM_CONFIG = frozenset({"IPv4Address", "IPv6Address"})
_LIMITS = (
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "NanoCpus",
    "CpuShares",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "PidsLimit",
    "BlkioWeight",
    "ShmSize",
    "Ulimits",
)
_NAMES = {
    "Binds": "volumes",
    "Mounts": "volumes",
    "Volumes": "volumes",
    "VolumesFrom": "volumes",
    "Tmpfs": "file systems in memory",
    "Devices": "devices",
    "DeviceRequests": "devices",
    "CapAdd": "further capabilities",
    "CapDrop": "fewer capabilities",
    "Privileged": "privileged containers",
    "SecurityOpt": "security options",
    "ReadonlyRootfs": "read-only root directories",
    "IpcMode": "IPC namespaces",
    "PidMode": "shared process namespaces",
    "UTSMode": "shared host names",
    "UsernsMode": "user namespaces",
    "GroupAdd": "further groups",
    "Init": "init process in containers",
    "Healthcheck": "health checks",
    "LogConfig": "other logs than its own",
    "Runtime": "choice of runtimes",
    "DriverOpts": "options of an attachment",
    "LinkLocalIPs": "further link-local addresses",
    **dict.fromkeys(_LIMITS, "limits of memory, processors, processes or files"),
}
"""How a person calls what is refused."""


def _is_default_log(value: Any) -> bool:
    return (
        isinstance(value, dict) and value.get("Type") in ("", None, "json-file") and not value.get("Config")
    )


def _among(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


_MEANINGLESS: Mapping[str, Callable[[Any], bool]] = {
    "ArgsEscaped": _among(True),
    "CgroupnsMode": _among("host"),
    "Healthcheck": _among({"Test": ["NONE"]}),
    "Isolation": _among("default"),
    "LogConfig": _is_default_log,
    "MemorySwap": _among(-1),
    "MemorySwappiness": _among(-1),
    "PidsLimit": _among(-1),
    # What inspect shows, which some clients send back.
    "Runtime": _among(RUNTIME),
}
"""Values with which a field asks for nothing but what is so anyway; the empty ones never do."""
SHARES: Mapping[str, str] = {"IpcMode": "host", "PidMode": "host"}
"""So it is in the host's own root directory."""
OWN: Mapping[str, str] = {"IpcMode": "private", "PidMode": ""}
"""So it is in the root directory of an image."""
ROOT = frozenset({"root", "0", "root:root", "root:0", "0:root", "0:0"})


def check_container(body: Mapping[str, Any], *, image: bool) -> None:
    """EngineError for the first thing in a request for a container, of an image or not, that it would not get."""
    settings = read_object(body, "HostConfig")
    so_anyway = OWN if image else SHARES
    _check(body, CONFIG)
    _check({key: value for key, value in settings.items() if value != so_anyway.get(key)}, HOST_CONFIG)


def read_place(body: Mapping[str, Any], *, image: bool) -> dict[str, str]:
    """As whom and where something shall run; without an image that is as root and in / anyway."""
    user, folder = read_text(body, "User"), read_text(body, "WorkingDir")
    if not image:
        user, folder = "" if user in ROOT else user, "" if folder == "/" else folder
    return {"user": user, "working_dir": folder}


def check_endpoint(given: Mapping[str, Any]) -> None:
    """The same of an attachment."""
    _check(given, ENDPOINT)
    _check(read_object(given, "IPAMConfig"), IPAM_CONFIG)


def check_exec(body: Mapping[str, Any]) -> None:
    """The same of a command in a running container."""
    _check(body, EXEC)


def _check(given: Mapping[str, Any], taken: frozenset[str]) -> None:
    for key, value in given.items():
        if value and key not in taken and not _MEANINGLESS.get(key, _among())(value):
            raise EngineError(400, f"netadmin has no {_NAMES.get(key, 'such option')}: leave {key} out.")
